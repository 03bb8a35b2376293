// What stands between this page and the server, and what the last actions came to: what happened, and what to do.

import { html, nothing, type TemplateResult } from 'lit-html';

import type { Scene } from '../scene';

export function problems(scene: Scene): TemplateResult {
  const { view, card } = scene;
  const { connection, problem, needsToken, overview } = view;
  const sentence = needsToken ?? problem;
  const isHint = connection === 'lost' || connection === 'connecting';
  return html`<div part="problems">
    ${sentence === null
      ? nothing
      : html`<div class="note ${isHint ? 'hint' : ''}" part="problem" data-problem=${connection}>
          <span role="alert">${sentence}</span> <span>${retryText(scene)}</span>
        </div>`}
    ${[...view.results].map(([action, result]) => resultNote(action, result, sentence))}
    ${overview && !overview.syncAvailable && !scene.parts.has('connection')
      ? html`<p class="note hint" part="hint">${card('notConnectedYet')}</p>`
      : nothing}
  </div>`;
}

/** The same sentence is not shown twice. */
function resultNote(action: string, { isError, text }: { isError: boolean; text: string }, problem: string | null) {
  if (text === problem || !text) return nothing;
  return html`<p class="note ${isError ? '' : 'done'}" part="result" data-action=${action} role=${isError ? 'alert' : 'status'}>${text}</p>`;
}

/** The seconds are outside of the alert, so that screen readers don't read out each of them. */
function retryText({ view: { retryAt }, card, words }: Scene): string {
  if (retryAt === null) return '';
  const left = (retryAt - Date.now()) / 1000;
  return left < 1 ? card('retryNow') : card('retryIn', { left: words.duration(left) });
}
