// src/History.tsx
import { startTransition, useEffect } from 'react';
import { graphql, useFragment, usePaginationFragment } from 'react-relay';
import { ConnectionHandler, ROOT_ID, type RecordProxy, type RecordSourceProxy } from 'relay-runtime';
import type { HistoryPaginationQuery } from './__generated__/HistoryPaginationQuery.graphql';
import type { History_query$key } from './__generated__/History_query.graphql';
import type { History_sync$key } from './__generated__/History_sync.graphql';
import { socket } from './socket';

/** The id of the connection below in the store. */
export const historyOf = (organizationId: string) =>
  ConnectionHandler.getConnectionID(ROOT_ID, 'History_historyConnection', { organizationId });

/** Adds a sync to the connection, unless it is there. */
export function prepend(store: RecordSourceProxy, organizationId: string, sync: RecordProxy) {
  const history = store.get(historyOf(organizationId));
  const edges = history?.getLinkedRecords('edges') ?? [];
  if (!history || edges.some((edge) => edge.getLinkedRecord('node')?.getDataID() === sync.getDataID())) return;
  ConnectionHandler.insertEdgeBefore(history, ConnectionHandler.createEdge(store, history, sync, 'SyncEdge'));
}

const NETWORK = { fetchPolicy: 'network-only' } as const;

export function History(props: { query: History_query$key }) {
  const { data, hasNext, isLoadingNext, loadNext, refetch } = usePaginationFragment<
    HistoryPaginationQuery,
    History_query$key
  >(
    graphql`
      fragment History_query on Query
      @argumentDefinitions(count: { type: "Int", defaultValue: 5 }, cursor: { type: "String" })
      @refetchable(queryName: "HistoryPaginationQuery") {
        historyConnection(organizationId: $organizationId, first: $count, after: $cursor)
          @connection(key: "History_historyConnection") {
          edges {
            node {
              id
              ...History_sync
            }
          }
        }
      }
    `,
    props.query,
  );
  const shown = data.historyConnection.edges.length;
  useEffect(
    () =>
      socket.on('connected', (_socket, _payload, isReconnect) => {
        // several syncs may have come and gone meanwhile
        if (isReconnect) startTransition(() => void refetch({ count: Math.min(shown + 5, 100) }, NETWORK));
      }),
    [refetch, shown],
  );
  return (
    <section aria-label="Syncs">
      <h2>Syncs</h2>
      <ul>
        {data.historyConnection.edges.map(({ node }) => (
          <Row key={node.id} sync={node} />
        ))}
      </ul>
      {hasNext && (
        <button disabled={isLoadingNext} onClick={() => loadNext(5)}>Earlier syncs</button>
      )}
    </section>
  );
}

function Row(props: { sync: History_sync$key }) {
  const sync = useFragment(
    graphql`
      fragment History_sync on SyncStatus {
        startedAt
        status
        progressPercentage
        failure {
          message
        }
      }
    `,
    props.sync,
  );
  return (
    <li>
      {new Date(sync.startedAt).toLocaleString()}: {sync.status}, {sync.progressPercentage} % {sync.failure?.message}
    </li>
  );
}
