// src/History.tsx
import { useEffect, useState } from 'react';
import { type CombinedError, useClient, useQuery } from 'urql';
import { DashboardDocument, HistoryDocument, type HistoryQueryVariables } from './gql/graphql';

export function History({ organizationId }: { organizationId: string }) {
  const [{ data: live }] = useQuery({ query: DashboardDocument, variables: { organizationId } });
  const [page, setPage] = useState<HistoryQueryVariables>({ organizationId, first: 10 });
  const [{ data, error, fetching }] = useQuery({ query: HistoryDocument, variables: page }); // with all pages read so far
  const [failed, setFailed] = useState<CombinedError>();
  const client = useClient();

  const edges = data?.historyConnection.edges ?? [];
  const newest = live?.dashboard.currentSync ?? live?.dashboard.lastSync;
  const lacks = data && newest && !edges.some(({ node }) => node.id === newest.id) ? newest.id : undefined;
  useEffect(() => {
    if (!lacks) return;
    // A sync has begun. Read all that are newer than the newest one known to have ended, as an outage can hide several.
    const newer = { organizationId, last: 100, before: edges.find(({ node }) => node.completedAt)?.cursor };
    void client.query(HistoryDocument, newer, { requestPolicy: 'network-only' }).then((result) => {
      setFailed(result.error);
      if (result.data) setPage(newer);
    });
  }, [lacks]);

  const problem = error ?? failed;
  return (
    <section aria-label="History">
      <h2>History</h2>
      <ol>
        {edges.map(({ node }) => (
          <li key={node.id}>{new Date(node.startedAt).toLocaleString()}: {node.status}</li>
        ))}
      </ol>
      {problem && <p role="alert">{problem.message}</p>}
      {data?.historyConnection.pageInfo.hasNextPage && (
        <button
          disabled={fetching}
          onClick={() => setPage({ organizationId, first: 10, after: data.historyConnection.pageInfo.endCursor })}
        >
          More
        </button>
      )}
    </section>
  );
}
