/** The eight steps in a row, each with its state. */

import { isOver, STEPS, type Sync } from '../../core/types';
import { STEP_STATE_LABELS, stepState } from '../../words';
import { byId, drawing, element } from '../dom';
import { words } from '../page';

const MARKS = [
  ['tick', 'M2 6.5 5 9.5 10 3'],
  ['cross', 'M3 3 9 9M9 3 3 9'],
  ['dash', 'M2.5 6H9.5'],
] as const;

/** Fills the list, once. */
export function buildSteps(): void {
  byId('steps').append(...STEPS.map((step, index) => {
    const icons = MARKS.map(([name, path]) => {
      const icon = drawing('svg', { class: name, viewBox: '0 0 12 12', fill: 'none', stroke: 'currentColor', 'stroke-width': 2, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' });
      icon.append(drawing('path', { d: path }));
      return icon;
    });
    const number = element('span', { className: 'number', textContent: String(index + 1) });
    const mark = element('span', { className: 'mark', ariaHidden: 'true' }, element('i', {}, number, ...icons));
    const item = element('li', {}, mark, element('span', {}, words.name(step), element('span', { className: 'unseen' })));
    item.dataset['step'] = String(index + 1);
    return item;
  }));
}

export function renderSteps(sync: Sync | null): void {
  for (const item of byId('steps').querySelectorAll('li')) {
    const state = stepState(Number(item.dataset['step']), sync);
    if (item.dataset['state'] === state) continue;
    item.dataset['state'] = state;
    const hint = item.querySelector('.unseen');
    if (hint) hint.textContent = ` (${words.say(STEP_STATE_LABELS[state])})`;
    if (state === 'running') item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
}

export const isRunning = (sync: Sync | null): boolean => sync !== null && !isOver(sync);
