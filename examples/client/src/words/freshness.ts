/** How fresh the published data is, and when it will be checked again. */

import type { Formats } from './formats';
import type { Say } from './labels';

export interface FreshnessWords {
  text: string;
  /** The time by which a newer sync should have completed is over. */
  isLate: boolean;
}

/** As of when the published data is, and until when it counts as fresh; null without a schedule. */
export interface Freshness {
  checkedAt: string;
  freshUntil: string | null;
}

/** Such as `Checked 4 min ago · next sync 14:30`. `now` is the server's clock in ms. */
export function freshnessWords(
  freshness: Freshness | null,
  nextSyncAt: string | null,
  now: number,
  formats: Formats,
  say: Say,
): FreshnessWords {
  if (!freshness) return { text: nextSyncAt ? nextText(nextSyncAt, formats, say) : '', isLate: false };
  const isLate = freshness.freshUntil !== null && now > Date.parse(freshness.freshUntil);
  const when = formats.age((now - Date.parse(freshness.checkedAt)) / 1000);
  const parts = [say('checked', { when })];
  if (isLate && freshness.freshUntil) parts.push(say('late', { time: formats.timeOrDay(freshness.freshUntil) }));
  else if (nextSyncAt) parts.push(nextText(nextSyncAt, formats, say));
  return { text: parts.join(' · '), isLate };
}

function nextText(nextSyncAt: string, formats: Formats, say: Say): string {
  return say('nextAt', { time: formats.timeOrDay(nextSyncAt) });
}
