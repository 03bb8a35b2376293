// The live log, filtered by level. Lines are in the document in their order, so that a new line changes no other, and are shown
// with the newest at the top, where people look. Only the newest are in the document, and more on request, so that a log of
// thousands of lines costs no more than a short one.

import { html, nothing, type TemplateResult } from 'lit-html';

import { LEVELS, type LogLine } from '../../core';
import type { Scene } from '../scene';
import { button } from './button';

/** At first so many lines are in the document, or up to twice as many, and so many more with each request. */
export const LINES_AT_ONCE = 100;

export function log(scene: Scene): TemplateResult {
  const { view, words, card, log: choice, actions } = scene;
  const wanted = choice.level ? view.log.filter((line) => line.level === choice.level) : view.log;
  const earlier = earlierOf(wanted.length, choice.most);
  const more = Math.min(earlier, LINES_AT_ONCE);
  return html`<div class="section" part="log">
    <div class="section-head">
      <h3>${card('log')}</h3>
      <label>
        ${card('level')}
        <select
          part="level"
          @change=${(event: Event) => actions.chooseLog({ level: (event.target as HTMLSelectElement).value, most: LINES_AT_ONCE })}
        >
          <option value="">${card('allLevels')}</option>
          ${LEVELS.map((level) => html`<option value=${level} ?selected=${choice.level === level}>${words.name(level)}</option>`)}
        </select>
      </label>
      ${view.clearedLines > 0 ? button(card('restoreLog'), () => actions.restoreLog(), { part: 'restore-log' }) : nothing}
      ${button(card('clearLog'), () => actions.clearLog(), { isDisabled: view.log.length === 0, part: 'clear-log' })}
    </div>
    <div class="lines" part="lines" role="log" aria-live="off" aria-label=${card('logLines')} tabindex="0">
      <ol>
        ${wanted.slice(earlier).map((line) => row(line, scene))}
        ${view.log.length === 0 ? html`<li class="muted">${card('noLines')}</li>` : nothing}
      </ol>
    </div>
    ${earlier > 0
      ? html`<p class="below">
          ${button(card('showEarlier', { count: words.number(more) }), () => actions.chooseLog({ most: choice.most + LINES_AT_ONCE }), { part: 'show-earlier' })}
        </p>`
      : nothing}
    ${hiddenText(view.log.length - wanted.length, scene)}
    ${view.droppedLines > 0 ? html`<p class="below">${card('dropped', { count: words.number(view.droppedLines) })}</p>` : nothing}
  </div>`;
}

/** How many lines are left out: whole portions of them, so that the lines in the document stay where they are. */
function earlierOf(count: number, most: number): number {
  return Math.max(0, Math.floor((count - most) / LINES_AT_ONCE)) * LINES_AT_ONCE;
}

function row(line: LogLine, { words }: Scene): TemplateResult {
  return html`<li part="line" data-level=${line.level} data-seq=${line.seq}>
    <time datetime=${line.time}>${words.clockTime(line.time)}</time>
    <span class="level">${words.name(line.level)}</span>
    <span class="message">${words.withFigures(line.message)}</span>
    <span class="line-step">${words.name(line.step)}</span>
  </li>`;
}

function hiddenText(hidden: number, { card, words }: Scene): TemplateResult | typeof nothing {
  if (hidden === 0) return nothing;
  return html`<p class="below">${hidden === 1 ? card('oneHidden') : card('hidden', { count: words.number(hidden) })}</p>`;
}
