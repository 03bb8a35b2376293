/** One line of a log: time, level, sentence, step. */

import { type LogLine, STEPS } from '../../core/types';
import { levelTone } from '../../words';
import { element, tone } from '../dom';
import { words } from '../page';

/** The height of a line that does not wrap. */
export const logRowPx = (): number => 33;

export function logRow(line: LogLine): HTMLLIElement {
  const item = element(
    'li',
    { className: line.level.toLowerCase() },
    element('time', { dateTime: line.time, textContent: words.clockTime(line.time), title: line.time }),
    element('span', { className: 'level', textContent: words.name(line.level) }),
    element('span', { className: 'text', textContent: words.withFigures(line.message) }),
    element('span', { className: 'step', textContent: `Step ${STEPS.indexOf(line.step) + 1}`, title: words.name(line.step) }),
  );
  item.dataset['seq'] = String(line.seq);
  tone(item, levelTone(line.level));
  return item;
}

/** Writes the position of a line for screen readers, as most lines are not in the document. */
export function placeInSet(row: HTMLElement, position: number, count: number): void {
  row.ariaPosInSet = String(position + 1);
  row.ariaSetSize = String(count);
}
