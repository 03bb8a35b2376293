// src/Log.tsx
import { useQuery, useSubscription } from 'urql';
import { DashboardDocument, SyncLogDocument, type SyncLogSubscription } from './gql/graphql';

/** The log of the running sync, or else of the last one. */
export function Log({ organizationId }: { organizationId: string }) {
  const [{ data }] = useQuery({ query: DashboardDocument, variables: { organizationId } });
  const sync = data?.dashboard.currentSync ?? data?.dashboard.lastSync;
  return sync ? <Lines key={sync.id} syncId={sync.id} /> : null;
}

type Line = SyncLogSubscription['syncLog'];

function Lines({ syncId }: { syncId: string }) {
  const [{ data: lines = [], error }] = useSubscription(
    { query: SyncLogDocument, variables: { syncId, after: 0 } }, // the socket is `resumable`, and moves `after` forward
    withLine,
  );
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

/** urql repeats the last event when the subscription completes. */
function withLine(known: Line[] = [], { syncLog: line }: SyncLogSubscription): Line[] {
  return line.seq > (known.at(-1)?.seq ?? 0) ? [...known, line] : known;
}
