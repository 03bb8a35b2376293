/**
 * The words of a sync in one language: `createWords({ locale, labels })`. The page, the element and the React component
 * share them. `now` is always the server's clock, in milliseconds.
 */

import type { Overview, Receipt, Sync } from '../core/types';
import { type Acted, actorsText } from './actors';
import { changeText } from './announcements';
import { formatsFor } from './formats';
import { type Freshness, freshnessWords } from './freshness';
import { type Labels, nameFrom, sayFrom } from './labels';
import { nextSyncText, stepText, timeLeft, timeSoFar, waitOf } from './progress';
import { receiptWords, requestsText } from './receipts';

export type { Acted, Actor } from './actors';
export type { Freshness, FreshnessWords } from './freshness';
export { ENGLISH, type LabelName, type Labels } from './labels';
export { levelTone, STEP_STATE_LABELS, statusTone, stepState, type StepState, type Tone, type Wait } from './progress';
export type { ReceiptWords, VerdictTone } from './receipts';

const ENGLISH_LOCALE = 'en-GB';

export interface WordsOptions {
  /** Of numbers and times, such as `de-DE`. */
  locale?: string | undefined;
  /** Sentences in place of the English ones. */
  labels?: Labels | undefined;
}

/** All words of one language. */
export type Words = ReturnType<typeof createWords>;

/** The locale as browsers take it: `de_DE` is `de-DE`, and a text that names no language is British English. */
function usableLocale(locale: string): string {
  try {
    return Intl.getCanonicalLocales(locale.replaceAll('_', '-'))[0] ?? ENGLISH_LOCALE;
  } catch {
    return ENGLISH_LOCALE;
  }
}

/** Words and formats for a language. */
export function createWords({ locale = ENGLISH_LOCALE, labels = {} }: WordsOptions = {}) {
  const say = sayFrom(labels);
  const formats = formatsFor(usableLocale(locale), say);
  return {
    say,
    name: nameFrom(say),
    ...formats,
    requests: (count: number) => requestsText(count, formats, say),
    receipt: (receipt: Receipt) => receiptWords(receipt, formats, say),
    wait: (sync: Sync, now: number) => waitOf(sync, now, say),
    stepText: (sync: Sync, now: number) => stepText(sync, now, formats, say),
    timeSoFar: (sync: Sync, now: number) => timeSoFar(sync, now, formats, say),
    timeLeft: (sync: Sync, now: number) => timeLeft(sync, now, formats, say),
    nextSync: (next: NonNullable<Overview['nextSync']>) => nextSyncText(next, formats, say),
    freshness: (freshness: Freshness | null, nextSyncAt: string | null, now: number) =>
      freshnessWords(freshness, nextSyncAt, now, formats, say),
    actors: (sync: Acted) => actorsText(sync, say),
    announcement: (before: Sync | null, sync: Sync, now: number) => changeText(before, sync, now, formats, say),
  };
}
