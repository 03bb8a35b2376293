// src/History.tsx
import { useQuery } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { DashboardDocument, HistoryDocument, type HistoryQueryVariables } from './gql/graphql';

export function History({ organizationId }: { organizationId: string }) {
  const dashboard = useQuery(DashboardDocument, { variables: { organizationId } }).data?.dashboard;
  const { data, error, loading, fetchMore } = useQuery(HistoryDocument, { variables: { organizationId, first: 10 } });
  const [failed, setFailed] = useState<Error>();
  const load = (page: Omit<HistoryQueryVariables, 'organizationId'>) =>
    fetchMore({ variables: { first: undefined, ...page } }).then(() => setFailed(undefined), setFailed);

  const edges = data?.historyConnection.edges ?? [];
  const newest = dashboard?.currentSync ?? dashboard?.lastSync;
  const lacks = data && newest && !edges.some(({ node }) => node.id === newest.id) ? newest.id : undefined;
  useEffect(() => {
    // A sync has begun. Read all that are newer than the newest one known to have ended, as an outage can hide several.
    if (lacks) void load({ last: 100, before: edges.find(({ node }) => node.completedAt)?.cursor });
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
          disabled={loading}
          onClick={() => void load({ first: 10, after: data.historyConnection.pageInfo.endCursor })}
        >
          More
        </button>
      )}
    </section>
  );
}
