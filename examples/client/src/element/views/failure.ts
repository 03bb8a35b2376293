// Why the newest sync ended without success, what to do, and that the patients stored before are still there.

import { html, nothing, type TemplateResult } from 'lit-html';

import type { Scene } from '../scene';
import { button } from './button';
import { canStart } from './head';

/** The failures after which another key helps; each of the others may pass, or needs what `whatToDo` says. */
const KEY_CODES: readonly string[] = ['CONNECTION_MISSING', 'CONNECTION_DISABLED', 'KEY_REFUSED', 'KEY_LACKS_PERMISSION', 'ACCOUNT_MOVED'];

export function failure(scene: Scene): TemplateResult | typeof nothing {
  const { view, words, card } = scene;
  const { sync, overview } = view;
  if (!sync?.failure) return nothing;
  const stored = overview?.patientStats.lastSyncTime;
  return html`<div class="note ${sync.status === 'CANCELLED' ? 'hint' : ''}" part="failure" data-code=${sync.failure.code}>
    <strong>${words.withFigures(sync.failure.message)}</strong> ${sync.failure.whatToDo}
    ${overview ? html`<p>${stored ? card('stored', { time: words.dayAndTime(stored) }) : card('nothingStored')}</p>` : nothing}
    ${nextAction(scene, sync.failure.code)}
  </div>`;
}

function nextAction(scene: Scene, code: string): TemplateResult | typeof nothing {
  const { view, card, actions, parts } = scene;
  if (code === 'CANCELLED') return nothing; // by a person, who knows why
  if (KEY_CODES.includes(code) && view.overview?.connection?.state !== 'CONNECTED') {
    return parts.has('connection') ? button(card('enterKey'), () => actions.focusKey(), { part: 'enter-key' }) : nothing;
  }
  return button(card('tryAgain'), () => actions.start(), { isDisabled: !canStart(scene), part: 'try-again' });
}
