/**
 * How fresh the stored data is: when it was checked, and when the next sync comes; or that it is live, and since when it
 * is as it is. Amber when that is late.
 */

import { byId, setText, show, tone } from '../dom';
import { lookSeconds } from '../live/mode';
import { page, serverNow, words } from '../page';
import { secondsAgo } from './live';

export function renderFreshness(): void {
  const { overview } = page.view;
  if (!overview) return;
  const { freshness } = overview;
  const { text, isLate } = words.freshness(freshness, overview.nextSyncAt, serverNow());
  const { lastSyncTime } = overview.patientStats;
  const every = lookSeconds();
  const isShownLive = every !== null && !isLate && lastSyncTime !== null;
  show('freshness', text !== '');
  setText('freshness-text', isShownLive ? `Live: looks every ${every} s · updated ${secondsAgo(Date.parse(lastSyncTime))} · ${text}` : text);
  tone(byId('freshness'), isLate ? 'amber' : freshness?.freshUntil ? 'green' : 'grey');
}
