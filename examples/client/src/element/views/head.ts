// The heading with the status, the connection to the server, and the buttons.

import { html, nothing, type TemplateResult } from 'lit-html';

import { isOver } from '../../core';
import type { Scene } from '../scene';
import { button } from './button';

export function head(scene: Scene): TemplateResult {
  const { view, words, heading } = scene;
  const status = view.sync?.status ?? (view.overview ? 'IDLE' : null);
  return html`<header part="head">
    <h2 id="heading" part="heading" tabindex="-1">${heading}</h2>
    ${status && html`<span class="badge" part="status" data-status=${status}>${words.name(status)}</span>`}
    <span part="link" data-connection=${view.connection}>${linkText(scene)}</span>
    ${controls(scene)}
  </header>`;
}

function linkText({ view: { connection, transport }, words }: Scene): string {
  return connection === 'live' ? words.say('live', { transport: words.name(transport ?? '') }) : words.say(connection);
}

/** Whether a click on Start would start a sync. */
export function canStart({ view: { sync, overview, pending } }: Scene): boolean {
  const isRunning = sync !== null && !isOver(sync);
  return !isRunning && !pending.has('start') && !pending.has('startFull') && overview?.syncAvailable !== false;
}

function controls(scene: Scene): TemplateResult {
  const { view, card, actions } = scene;
  const { sync, overview, pending } = view;
  const isRunning = sync !== null && !isOver(sync);
  const isDisabled = !canStart(scene);
  const isCancelling = pending.has('cancel');
  return html`<div class="controls" part="controls">
    ${button(card('refresh'), () => actions.refresh(), { isDisabled: pending.has('refresh'), part: 'refresh' })}
    ${button(card(isCancelling ? 'cancelling' : 'cancel'), () => actions.cancel(), { isDisabled: !isRunning || isCancelling, part: 'cancel' })}
    ${overview?.patientStats.lastSyncTime
      ? html`${button(card('startFull'), () => actions.start('FULL'), { isDisabled, describedBy: 'full-hint', part: 'start-full' })}
          <span id="full-hint" class="unseen">${card('startFullHint')}</span>`
      : nothing}
    ${button(card(pending.has('start') ? 'starting' : 'start'), () => actions.start(), { isDisabled, isMain: true, part: 'start' })}
  </div>`;
}
