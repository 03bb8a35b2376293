// src/Log.tsx
import { useQuery, useSubscription } from '@apollo/client/react';
import { useState } from 'react';
import { DashboardDocument, SyncLogDocument, type SyncLogSubscription } from './gql/graphql';

/** The log of the running sync, or else of the last one. */
export function Log({ organizationId }: { organizationId: string }) {
  const dashboard = useQuery(DashboardDocument, { variables: { organizationId } }).data?.dashboard;
  const sync = dashboard?.currentSync ?? dashboard?.lastSync;
  return sync ? <Lines key={sync.id} syncId={sync.id} /> : null;
}

function Lines({ syncId }: { syncId: string }) {
  const [lines, setLines] = useState<SyncLogSubscription['syncLog'][]>([]);
  const { error } = useSubscription(SyncLogDocument, {
    variables: { syncId, after: 0 }, // the socket is `resumable`, and moves `after` forward when it reconnects
    onData: ({ data: { data } }) => {
      const line = data?.syncLog;
      // React's StrictMode subscribes twice in development.
      if (line) setLines((known) => (line.seq > (known.at(-1)?.seq ?? 0) ? [...known, line] : known));
    },
  });
  return (
    <section aria-label="Log">
      <h2>Log</h2>
      <ol>
        {lines.map((line) => (
          <li key={line.id} value={line.seq}>{new Date(line.time).toLocaleTimeString()} {line.message}</li>
        ))}
      </ol>
      {error && <p role="alert">{error.message}</p>}
    </section>
  );
}
