/** What screen readers announce when the state of a sync changes: each change once, in a sentence. */

import { isOver, STEPS, type Sync } from '../core/types';
import type { Formats } from './formats';
import { nameFrom, type Say } from './labels';
import { waitOf } from './progress';
import { receiptWords } from './receipts';

const LEAST_ANNOUNCED_SECONDS = 3; // a screen reader takes as long to say it

/** The sentence for the change from `before` to `sync`; null if there is nothing to say. */
export function changeText(before: Sync | null, sync: Sync, now: number, formats: Formats, say: Say): string | null {
  const isSame = before !== null && before.syncId === sync.syncId;
  if (isOver(sync)) return isSame && !isOver(before) ? endText(sync, formats, say) : null;
  const wait = waitOf(sync, now, say);
  if (wait && (!isSame || before.waitingFor !== sync.waitingFor || before.resumesAt !== sync.resumesAt)) {
    if (wait.seconds === null) return wait.title;
    if (wait.seconds < LEAST_ANNOUNCED_SECONDS) return null;
    return `${wait.title} ${say(wait.isResuming ? 'resumesIn' : 'retriesIn', { left: formats.duration(wait.seconds) })}`;
  }
  if (isSame && before.status === sync.status && before.step === sync.step) return null;
  const step = nameFrom(say)(STEPS[sync.currentStepNumber - 1] ?? sync.step);
  return say('stepOf', { number: sync.currentStepNumber, step });
}

function endText(sync: Sync, formats: Formats, say: Say): string {
  const status = nameFrom(say)(sync.status).toLowerCase();
  const detail =
    sync.failure && sync.status === 'FAILED'
      ? sync.failure.message
      : sync.receipt
        ? `${receiptWords(sync.receipt, formats, say).verdict}.`
        : '';
  return say('syncEnded', { status, detail }).trim();
}
