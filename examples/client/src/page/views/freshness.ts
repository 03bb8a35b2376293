/** How fresh the stored data is: when it was checked, and when the next sync comes. Amber when that is late. */

import { byId, setText, show, tone } from '../dom';
import { page, serverNow, words } from '../page';

export function renderFreshness(): void {
  const { overview } = page.view;
  if (!overview) return;
  const { freshness } = overview;
  const { text, isLate } = words.freshness(freshness, overview.nextSyncAt, serverNow());
  show('freshness', text !== '');
  setText('freshness-text', text);
  tone(byId('freshness'), isLate ? 'amber' : freshness?.freshUntil ? 'green' : 'grey');
}
