/** The state of a sync in words: its steps, its waits, and the time that it took or still takes. */

import { isOver, type Overview, STEPS, type Sync } from '../core/types';
import type { Formats } from './formats';
import { type LabelName, nameFrom, type Say } from './labels';
import { requestsText } from './receipts';

/** The colours of the views; each has a soft companion. */
export type Tone = 'grey' | 'yellow' | 'blue' | 'purple' | 'green' | 'red' | 'amber';

const STATUS_TONES: Record<string, Tone> = {
  STARTING: 'yellow',
  FETCHING_PATIENTS: 'blue',
  FETCHING_APPOINTMENTS: 'blue',
  ANALYZING: 'purple',
  STORING: 'green',
  COMPLETED: 'green',
  FAILED: 'red',
  CANCELLED: 'amber',
};
const LEVEL_TONES: Record<string, Tone> = { SUCCESS: 'green', WARNING: 'amber', ERROR: 'red' };

export const statusTone = (status: string): Tone => STATUS_TONES[status] ?? 'grey';
export const levelTone = (level: string): Tone => LEVEL_TONES[level] ?? 'grey';

/** What a step is at the moment. `unreached`: the sync ended before it. */
export type StepState = 'done' | 'running' | 'todo' | 'unreached' | 'failed' | 'cancelled';

export const STEP_STATE_LABELS: Record<StepState, LabelName> = {
  done: 'stepDone',
  running: 'stepRunning',
  todo: 'stepTodo',
  unreached: 'stepUnreached',
  failed: 'stepFailed',
  cancelled: 'stepCancelled',
};

/** The state of step `number`, 1 to 8. */
export function stepState(number: number, sync: Sync | null): StepState {
  if (!sync) return 'todo';
  if (sync.status === 'COMPLETED' || number < sync.currentStepNumber) return 'done';
  if (number > sync.currentStepNumber) return isOver(sync) ? 'unreached' : 'todo';
  return sync.status === 'FAILED' ? 'failed' : sync.status === 'CANCELLED' ? 'cancelled' : 'running';
}

/** A wait of a running sync. */
export interface Wait {
  title: string;
  text: string;
  /** The step text without the time that is left. */
  step: string;
  /** Seconds until it ends: 0 when it is due, null when that is unknown. */
  seconds: number | null;
  isResuming: boolean;
}

/** The wait of a running sync; null if it does not wait. `now` is the server's clock in ms. */
export function waitOf(sync: Sync, now: number, say: Say): Wait | null {
  if (isOver(sync) || !(sync.waitingFor || sync.resumesAt)) return null;
  const known = ['RATE_LIMIT', 'CLINIKO_RETRY', 'DATABASE'] as const;
  const kind = known.find((one) => one === sync.waitingFor) ?? 'wait';
  return {
    title: say(`${kind}_title`),
    text: say(`${kind}_text`),
    step: say(`${kind}_step`),
    isResuming: kind === 'RATE_LIMIT' || kind === 'wait',
    seconds: sync.resumesAt ? Math.max(0, Math.ceil((Date.parse(sync.resumesAt) - now) / 1000)) : null,
  };
}

/** One line about the current action: with the time left of a wait, and after the end with the step of the failure. */
export function stepText(sync: Sync, now: number, formats: Formats, say: Say): string {
  const wait = waitOf(sync, now, say);
  if (sync.failure) {
    const step = nameFrom(say)(STEPS[sync.currentStepNumber - 1] ?? sync.step).toLowerCase();
    return say(sync.status === 'CANCELLED' ? 'cancelledWhile' : 'failedWhile', { step });
  }
  if (!wait) return formats.withFigures(sync.currentStep);
  if (wait.seconds === null) return wait.step;
  if (wait.seconds === 0) return say(wait.isResuming ? 'resumingNow' : 'retryingNow');
  return say(wait.isResuming ? 'resumingIn' : 'retryingIn', { step: wait.step, left: formats.duration(wait.seconds) });
}

/** How long it has run, or how long it took. `now` is the server's clock at the moment of the shown state. */
export function timeSoFar(sync: Sync, now: number, formats: Formats, say: Say): string {
  if (isOver(sync)) return say('took', { time: formats.duration(sync.durationSeconds ?? 0) });
  return say('runningFor', { time: formats.duration(Math.round((now - Date.parse(sync.startedAt)) / 1000)) });
}

/** The estimate with its range, such as `About 40 s left (30 s to 1 min)`; after the end, when that was. */
export function timeLeft(sync: Sync, now: number, formats: Formats, say: Say): string {
  if (sync.completedAt) return say('ended', { time: formats.dayAndTime(sync.completedAt) });
  const waits = waitOf(sync, now, say)?.seconds ?? 0;
  const left = sync.estimatedCompletion ? (Date.parse(sync.estimatedCompletion) - now) / 1000 : null;
  if (waits > 0 && !(left !== null && left > waits)) return say('atLeastLeft', { left: formats.duration(waits) });
  if (left === null) return say('leftUnknown');
  if (left < -2) return say('overdue');
  if (left < 1) return say('aMomentLeft');
  return say('aboutLeft', { left: formats.duration(Math.round(left)) }) + rangeText(sync, now, formats, say);
}

function rangeText({ estimatedCompletionRange: range }: Sync, now: number, formats: Formats, say: Say): string {
  if (!range) return '';
  const secondsUntil = (end: string): number => Math.max(0, Math.round((Date.parse(end) - now) / 1000));
  const [earliest, latest] = [secondsUntil(range.earliest), secondsUntil(range.latest)];
  if (latest <= earliest) return '';
  if (earliest === 0) return say('leftAtMost', { latest: formats.duration(latest) });
  return say('leftBetween', { earliest: formats.duration(earliest), latest: formats.duration(latest) });
}

/** What the next sync costs: `The next sync takes about 40 s, 31 requests`. */
export function nextSyncText(next: NonNullable<Overview['nextSync']>, formats: Formats, say: Say): string {
  const time = next.seconds < 10 ? say('fewSeconds') : say('about', { time: formats.duration(next.seconds) });
  const requests = requestsText(next.requests, formats, say);
  return say(next.mode === 'FULL' ? 'nextFullSync' : 'nextSync', { time, requests });
}
