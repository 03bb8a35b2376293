// The bar, the step in words, and the times: so far, left, and until a wait is over.

import type { CSSProperties } from 'react';

import type { Sync } from '../useSync';
import { MODE_TEXTS, WAIT_TEXTS, duration, withFigures } from '../words';

interface Props {
  sync: Sync | null;
  /** What to say while there is no sync. */
  emptyText: string;
  now: number;
  titleId: string;
}

export function Progress({ sync, emptyText, now, titleId }: Props) {
  const percentage = sync?.progressPercentage ?? 0;
  const isRunning = sync !== null && !sync.completedAt;
  const waitingFor = isRunning ? (sync.waitingFor ?? null) : null;
  const text = waitingFor ? WAIT_TEXTS[waitingFor] : withFigures(sync?.currentStep ?? emptyText);
  return (
    <div className="routiq-progress" data-status={sync?.status ?? 'IDLE'} data-waiting={waitingFor ?? undefined}>
      <div
        className="routiq-bar"
        role="progressbar"
        aria-labelledby={titleId}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percentage}
        aria-valuetext={`${percentage} %, ${text}`}
      >
        <div style={widthOf(percentage)} data-running={isRunning && !waitingFor} />
      </div>
      <p className="routiq-step-text">
        <span aria-live="polite">{text}</span>
        <span className="routiq-percentage">{percentage} %</span>
      </p>
      <p className="routiq-times">{sync ? timesOf(sync, now).join(' · ') : '\u00a0'}</p>
    </div>
  );
}

/** No style at 0 %, as a server renders it: a strict Content-Security-Policy forbids styles in HTML. */
const widthOf = (percentage: number): CSSProperties | undefined => (percentage > 0 ? { width: `${percentage}%` } : undefined);

function timesOf(sync: Sync, now: number): string[] {
  const started = Date.parse(sync.startedAt);
  const mode = MODE_TEXTS[sync.mode];
  if (sync.completedAt) return [`Took ${duration(Date.parse(sync.completedAt) - started)}`, ...mode];
  const times = [`${duration(now - started)} so far`, ...mode];
  if (sync.resumesAt) times.push(resumesText(Date.parse(sync.resumesAt) - now));
  else if (sync.estimatedCompletion) times.push(`about ${duration(Date.parse(sync.estimatedCompletion) - now)} left${rangeText(sync, now)}`);
  return times;
}

/** ` (9 s to 20 s)`: when the sync may end, if that says more than the estimate alone. */
function rangeText({ estimatedCompletionRange: range }: Sync, now: number): string {
  if (!range) return '';
  const [earliest, latest] = [duration(Date.parse(range.earliest) - now), duration(Date.parse(range.latest) - now)];
  if (earliest === latest) return '';
  return earliest === '0 s' ? ` (at most ${latest})` : ` (${earliest} to ${latest})`;
}

/** The sync resumes a little after the moment that was announced; no countdown stays at 0. */
function resumesText(left: number): string {
  return left < 1000 ? 'resuming…' : `resumes in ${duration(left)}`;
}
