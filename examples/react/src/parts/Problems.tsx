// What stands between this page and the server, and why the last action failed: what happened, and what to do.

import type { SyncState } from '../useSync';
import { duration } from '../words';

export function Problems({ state, now }: { state: SyncState; now: number }) {
  const { connection, problem, retryAt, error } = state;
  return (
    <>
      {problem !== null && (
        <div className={connection === 'lost' ? 'routiq-hint' : 'routiq-alert'} data-problem={connection}>
          <span role="alert">{problem}</span> <span>{retryText(retryAt, now)}</span>
        </div>
      )}
      {error !== null && error !== problem && (
        <p className="routiq-alert" role="alert">
          {error}
        </p>
      )}
    </>
  );
}

/** The seconds are outside of the alert, so that screen readers don't read out each of them. */
function retryText(retryAt: number | null, now: number): string {
  const left = retryAt === null ? 0 : retryAt - now;
  return left < 1000 ? 'Trying again…' : `Trying again… (in ${duration(left)})`;
}
