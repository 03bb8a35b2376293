/** Live changes beside the figures: how many patients became active or inactive, who, and why. */

import { changesHref } from '../address';
import { badge, byId, element, setText, show, tone } from '../dom';
import { newestBatch, type RecentChange, recentChanges } from '../live/changes';
import { isLive } from '../live/mode';
import { page, serverNow, words } from '../page';
import { CHANGE_KINDS, shownKinds } from '../patients/kinds';
import { changedText, hasLists } from './patients';

const MINUTE = 60;

/** Shows the newest changes while the organization is kept live. */
export function renderLive(): void {
  const batch = isLive() ? newestBatch() : null;
  show('live', isLive() && page.view.overview?.lastSuccessfulSync != null);
  show('live-link', batch !== null);
  show('live-none', batch === null);
  renderRecent(isLive() ? recentChanges() : []);
  renderLiveTimes();
  if (!batch) return;
  const link = byId<HTMLAnchorElement>('live-link');
  const href = changesHref({ sync: batch.syncId, since: batch.since });
  if (!hasLists()) link.removeAttribute('href'); // this person may not read who they are
  else if (link.getAttribute('href') !== href) link.href = href;
  setText(link, changedText(batch.counts));
  const { becameActive, becameInactive } = batch.counts;
  tone(link, becameActive > becameInactive ? 'green' : becameActive < becameInactive ? 'amber' : 'grey');
}

/** What changes with time alone: `8 s ago`. */
export function renderLiveTimes(): void {
  const batch = isLive() ? newestBatch() : null;
  setText('live-age', batch ? secondsAgo(batch.at) : '');
}

/** An age whose first minute is counted in seconds. */
export function secondsAgo(at: number): string {
  const seconds = Math.max(0, Math.round((serverNow() - at) / 1000));
  if (seconds < MINUTE) return `${seconds} s ago`;
  const minutes = Math.floor(seconds / MINUTE);
  return minutes < MINUTE ? `${minutes} min ago` : `${Math.floor(minutes / MINUTE)} h ago`;
}

let shown: readonly RecentChange[] = [];
function renderRecent(changes: readonly RecentChange[]): void {
  show('latest', changes.length > 0);
  if (shown === changes) return;
  shown = changes;
  byId('latest-list').replaceChildren(...changes.map(itemOf));
}

function itemOf({ name, kinds, sentence, at }: RecentChange): HTMLLIElement {
  const badges = shownKinds(kinds).map((kind) => badge(...CHANGE_KINDS[kind]));
  const time = element('time', { textContent: words.clockTime(new Date(at).toISOString()), className: 'muted' });
  const who = element('p', {}, element('b', { textContent: name }), ...badges, time);
  return element('li', {}, who, element('p', { className: 'muted', textContent: sentence }));
}
