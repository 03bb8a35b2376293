/**
 * Bars, one for each sync, the newest on the right: the higher, the longer it took. Each is a link to its sync.
 *
 * For keyboards and screen readers the rows below have the same links; the drawing is one sentence to them.
 */

import type { Sync } from '../../core/types';
import { statusTone } from '../../words';
import { hrefOf } from '../address';
import { byId, drawing, setText, tone } from '../dom';
import { words } from '../page';

const [WIDTH, HEIGHT, TOP, GAP, MOST_WIDE, MOST_BARS] = [1100, 112, 18, 4, 34, 30];

/** Draws the newest of `syncs`, which come newest first. */
export function renderChart(syncs: readonly Sync[]): void {
  const drawn = syncs.slice(0, MOST_BARS).reverse();
  const chart = byId<SVGSVGElement>('chart');
  const width = chart.clientWidth || WIDTH;
  const longest = Math.max(...drawn.map(({ durationSeconds }) => durationSeconds ?? 0), 0.001);
  const step = Math.min(MOST_WIDE + GAP, width / Math.max(drawn.length, 1));
  chart.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  const took = words.duration(longest);
  setText('chart-text', drawn.length === 1 ? `The last sync took ${took}.` : `Durations of the last ${drawn.length} syncs; the longest took ${took}.`);
  chart.replaceChildren(
    drawing('text', { x: 0, y: 11 }, `Longest: ${words.duration(longest)}`),
    drawing('line', { x1: 0, x2: width, y1: TOP + 0.5, y2: TOP + 0.5, 'stroke-dasharray': '2 4' }),
    drawing('line', { x1: 0, x2: width, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }),
    ...drawn.map((sync, index) => barOf(sync, index * step, step, longest)),
  );
}

function barOf(sync: Sync, x: number, step: number, longest: number): SVGElement {
  const height = Math.max(2, ((HEIGHT - TOP) * (sync.durationSeconds ?? 0)) / longest);
  const link = drawing('a', { href: hrefOf(sync.syncId), 'data-inside': '', tabindex: -1 });
  const bar = drawing('rect', { x, y: HEIGHT - height, width: Math.max(1, step - GAP), height });
  tone(bar, statusTone(sync.status));
  const title = `${words.dayAndTime(sync.startedAt)}: ${words.name(sync.status).toLowerCase()}, ${words.duration(sync.durationSeconds ?? 0)}`;
  // The whole height can be clicked, however short the bar is.
  link.append(drawing('title', {}, title), drawing('path', { d: `M${x} ${TOP}h${step}V${HEIGHT}h${-step}z`, class: 'target' }), bar);
  return link;
}
