// What the next sync would do, before it is started.

import type { Overview } from '../useSync';
import { duration, number } from '../words';

const A_FEW_SECONDS = 10;

export function NextSync({ overview, isRunning }: { overview: Overview | null; isRunning: boolean }) {
  if (!overview?.nextSync || !overview.syncAvailable || isRunning) return null;
  const { mode, requests, seconds } = overview.nextSync;
  return (
    <p className="routiq-next">
      {mode === 'FULL' ? 'Next sync reads everything' : 'Next sync'}: about {number(requests)}{' '}
      {requests === 1 ? 'request' : 'requests'}, {seconds < A_FEW_SECONDS ? 'a few seconds' : duration(seconds * 1000)}
    </p>
  );
}
