/** Where the time of a sync went: a bar for each step, from its start to its end, with its waits apart. */

import { isOver, STEPS, type Sync } from '../../core/types';
import { statusTone } from '../../words';
import { byId, element, setText, show, tone } from '../dom';
import { serverNow, words } from '../page';

/** Fills the list of steps. Steps that the sync has not entered are left out. */
export function renderTimeline(sync: Sync): void {
  const { steps } = sync;
  show('timeline-note', steps.length === 0 && isOver(sync));
  const list = byId('timeline');
  const begin = Date.parse(sync.startedAt);
  const end = sync.completedAt ? Date.parse(sync.completedAt) : Math.max(serverNow(), begin + 1);
  const whole = Math.max(end - begin, 1);
  steps.forEach((step, index) => {
    const item = (list.children[index] as HTMLElement | undefined) ?? list.appendChild(newItem());
    const from = Date.parse(step.startedAt);
    const to = step.endedAt ? Date.parse(step.endedAt) : end;
    const seconds = Math.max(0, to - from) / 1000;
    const waited = Math.min(step.waitedSeconds, seconds);
    const isLast = index === steps.length - 1;
    tone(item, isLast ? statusTone(sync.status) : 'green');
    setText(part(item, '.name'), `${STEPS.indexOf(step.step) + 1}. ${words.name(step.step)}`);
    setText(part(item, '.took'), words.duration(seconds));
    setText(part(item, '.waited'), step.waitedSeconds >= 0.5 ? `${words.duration(step.waitedSeconds)} of it waiting` : '');
    const bar = part(item, '.span');
    bar.style.marginInlineStart = `${clamp((100 * (from - begin)) / whole, 99)}%`;
    bar.style.width = `${Math.max(0.6, clamp((100 * (to - from)) / whole, 100))}%`;
    part(item, '.wait').style.width = `${seconds ? (100 * waited) / seconds : 0}%`;
  });
  while (list.children.length > steps.length) list.lastElementChild?.remove();
}

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));

const part = (item: Element, name: string): HTMLElement => item.querySelector(name) as HTMLElement;

function newItem(): HTMLElement {
  return element(
    'li',
    {},
    element('span', { className: 'name' }),
    element('span', { className: 'bar', ariaHidden: 'true' }, element('span', { className: 'span' }, element('span', { className: 'wait' }))),
    element('span', { className: 'took' }),
    element('span', { className: 'waited' }),
  );
}
