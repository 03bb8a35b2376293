// The bar, the step in words, and the times: so far, left, and until Cliniko's rate limit lets the sync go on.

import type { Sync } from '../useSync';
import { duration } from '../words';

interface Props {
  sync: Sync | null;
  /** Whether the server has answered yet. */
  isKnown: boolean;
  now: number;
  titleId: string;
}

export function Progress({ sync, isKnown, now, titleId }: Props) {
  const percentage = sync?.progressPercentage ?? 0;
  const text = sync?.currentStep ?? (isKnown ? 'Nothing has been synced yet.' : 'Asking the server…');
  return (
    <div className="routiq-progress" data-status={sync?.status ?? 'IDLE'}>
      <div
        className="routiq-bar"
        role="progressbar"
        aria-labelledby={titleId}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percentage}
        aria-valuetext={`${percentage} %, ${text}`}
      >
        <div style={{ width: `${percentage}%` }} data-running={sync !== null && !sync.completedAt} />
      </div>
      <p className="routiq-step-text">
        <span aria-live="polite">{text}</span>
        <span className="routiq-percentage">{percentage} %</span>
      </p>
      <p className="routiq-times">{sync ? timesOf(sync, now).join(' · ') : '\u00a0'}</p>
    </div>
  );
}

function timesOf(sync: Sync, now: number): string[] {
  const started = Date.parse(sync.startedAt);
  if (sync.completedAt) return [`Took ${duration(Date.parse(sync.completedAt) - started)}`];
  const times = [`${duration(now - started)} so far`];
  if (sync.resumesAt) times.push(`goes on in ${duration(Date.parse(sync.resumesAt) - now)}`);
  else if (sync.estimatedCompletion) times.push(`about ${duration(Date.parse(sync.estimatedCompletion) - now)} left`);
  return times;
}
