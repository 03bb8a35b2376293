// src/Log.tsx
import { useMemo, useState } from 'react';
import { graphql, useLazyLoadQuery, usePaginationFragment, useSubscription } from 'react-relay';
import type { LogPaginationQuery } from './__generated__/LogPaginationQuery.graphql';
import type { LogQuery } from './__generated__/LogQuery.graphql';
import type { LogSubscription } from './__generated__/LogSubscription.graphql';
import type { Log_sync$key } from './__generated__/Log_sync.graphql';

export function Log({ syncId }: { syncId: string }) {
  const data = useLazyLoadQuery<LogQuery>(
    graphql`
      query LogQuery($syncId: ID!) {
        syncStatus(syncId: $syncId) {
          ...Log_sync
        }
      }
    `,
    { syncId },
  );
  return data.syncStatus && <Lines sync={data.syncStatus} />;
}

function Lines(props: { sync: Log_sync$key }) {
  const { data, hasPrevious, isLoadingPrevious, loadPrevious } = usePaginationFragment<LogPaginationQuery, Log_sync$key>(
    graphql`
      fragment Log_sync on SyncStatus
      @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
      @refetchable(queryName: "LogPaginationQuery") {
        id
        logConnection(last: $count, before: $cursor) @connection(key: "Log_logConnection") {
          __id
          edges {
            node {
              id
              seq
              message
            }
          }
        }
      }
    `,
    props.sync,
  );
  const lines = data.logConnection.edges.map(({ node }) => node);
  const [after] = useState(lines.at(-1)?.seq ?? 0); // the last line of the query
  const [refusal, setRefusal] = useState<Error | null>(null);
  const connection = data.logConnection.__id;
  useSubscription<LogSubscription>(
    useMemo(
      () => ({
        subscription: graphql`
          subscription LogSubscription($syncId: ID!, $after: Int, $connections: [ID!]!) {
            syncLog(syncId: $syncId, after: $after)
              @appendNode(connections: $connections, edgeTypeName: "SyncLogEdge") {
              id
              seq
              message
            }
          }
        `,
        variables: { syncId: data.id, after, connections: [connection] },
        onError: setRefusal,
      }),
      [data.id, after, connection],
    ),
  );
  return (
    <section aria-label="Log">
      <h2>Log</h2>
      {hasPrevious && (
        <button disabled={isLoadingPrevious} onClick={() => loadPrevious(50)}>Earlier lines</button>
      )}
      {refusal && <p role="alert">{refusal.message}</p>}
      <ol>
        {lines.map(({ id, seq, message }) => (
          <li key={id} value={seq}>{message}</li>
        ))}
      </ol>
    </section>
  );
}
