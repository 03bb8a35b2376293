/** The receipt of a sync that completed: its verdict and the lists that differ or were not compared. */

import { isOver, type Sync } from '../../core/types';
import type { VerdictTone } from '../../words';
import { byId, element, setText, show, tone } from '../dom';
import { words } from '../page';

const MARKS: Record<VerdictTone, string> = {
  green: 'M2 6.5 5 9.5 10 3',
  amber: 'M6 2v5M6 10v.01',
  blue: 'M8 2a4 4 0 0 0 0 8Z',
  grey: 'M2.5 6H9.5',
};

/** Fills the elements whose ids begin with `id`. */
export function renderReceipt(id: string, sync: Sync | null): void {
  const receipt = sync && isOver(sync) ? sync.receipt : null;
  show(id, receipt !== null);
  if (!receipt) return;
  const found = words.receipt(receipt);
  tone(byId(id), found.tone);
  byId(`${id}-mark`).setAttribute('d', MARKS[found.tone]);
  setText(`${id}-text`, found.line);
  const details = byId(`${id}-details`);
  const texts = [...found.differences, ...found.gaps];
  if ([...details.children].map((item) => item.textContent).join() === texts.join()) return;
  details.replaceChildren(...texts.map((text) => element('li', { textContent: text })));
}
