/** On phones: state, percentage and Cancel of the running sync, at the top while its card is out of sight. */

import { statusTone } from '../../words';
import { byId, setText, show, tone } from '../dom';
import { canHoldFocus, moveFocus, setDisabled } from '../focus';
import { page, serverNow, words } from '../page';
import { renderSoon } from '../render';
import { isRunning } from './steps';

/** The rows with the sync's own Cancel: on the dashboard, and where a sync is opened. */
const CONTROLS = ['controls', 'opened-controls'];

/** What has the focus after the strip: the same Cancel, what can be done next, or the heading of what is shown. */
const AFTERWARDS = ['cancel', 'opened-cancel', 'start', 'opened-title', 'list-title', 'sync-title'];

const narrow = matchMedia('(max-width: 640px)');
const inSight = new Set<string>(['controls']);

export function buildStrip(): void {
  const observer = new IntersectionObserver((rows) => {
    for (const { target, isIntersecting } of rows) {
      if (isIntersecting) inSight.add(target.id);
      else inSight.delete(target.id);
    }
    renderSoon();
  });
  for (const id of CONTROLS) observer.observe(byId(id));
  narrow.addEventListener('change', renderSoon);
  byId('strip-cancel').addEventListener('click', () => void page.client?.cancel());
}

// Nothing scrolls: a reader who was somewhere in the page stays there.
function leaveFocus(): void {
  const next = AFTERWARDS.map((id) => byId(id)).find((one) => canHoldFocus(one) && one.ariaDisabled !== 'true');
  if (next) moveFocus(next, { preventScroll: true });
}

export function renderStrip(): void {
  const { sync, pending } = page.view;
  const isOpened = page.opened !== null && page.opened.syncId === sync?.syncId;
  const isShown = isRunning(sync) && narrow.matches && !inSight.has(isOpened ? 'opened-controls' : 'controls');
  const strip = byId('strip');
  if (!isShown && !strip.hidden && strip.contains(document.activeElement)) leaveFocus();
  show('strip', isShown);
  if (!isShown || !sync) return;
  setText('strip-badge', words.name(sync.status));
  tone(byId('strip-badge'), statusTone(sync.status));
  setText('strip-percent', `${sync.progressPercentage} %`);
  setText('strip-left', words.timeLeft({ ...sync, estimatedCompletionRange: null }, serverNow()));
  byId('strip-fill').style.width = `${sync.progressPercentage}%`;
  setDisabled('strip-cancel', pending.has('cancel'));
}
