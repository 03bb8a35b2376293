/** On phones: state, percentage and Cancel of the running sync, at the top while its card is out of sight. */

import { statusTone } from '../../words';
import { byId, setText, show, tone } from '../dom';
import { setDisabled } from '../focus';
import { page, serverNow, words } from '../page';
import { renderSoon } from '../render';
import { isRunning } from './steps';

const narrow = matchMedia('(max-width: 640px)');
let isCardInSight = true;

export function buildStrip(): void {
  new IntersectionObserver(([seen]) => {
    isCardInSight = seen?.isIntersecting ?? true;
    renderSoon();
  }).observe(byId('controls'));
  narrow.addEventListener('change', renderSoon);
  byId('strip-cancel').addEventListener('click', () => void page.client?.cancel());
}

export function renderStrip(): void {
  const { sync, pending } = page.view;
  const isOpened = page.opened !== null && page.opened.syncId === sync?.syncId;
  const isShown = isRunning(sync) && narrow.matches && !isCardInSight && !isOpened;
  const strip = byId('strip');
  if (!isShown && !strip.hidden && strip.contains(document.activeElement)) byId('cancel').focus({ preventScroll: true });
  show('strip', isShown);
  if (!isShown || !sync) return;
  setText('strip-badge', words.name(sync.status));
  tone(byId('strip-badge'), statusTone(sync.status));
  setText('strip-percent', `${sync.progressPercentage} %`);
  setText('strip-left', words.timeLeft(sync, serverNow()));
  byId('strip-fill').style.width = `${sync.progressPercentage}%`;
  setDisabled('strip-cancel', pending.has('cancel'));
}
