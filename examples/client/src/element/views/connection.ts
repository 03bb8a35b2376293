// The organization's access to Cliniko: its state, what is wrong with it, and a field for an API key while one is needed.

import { html, nothing, type TemplateResult } from 'lit-html';

import type { Scene } from '../scene';

export function connection(scene: Scene): TemplateResult | typeof nothing {
  const { view, words, card } = scene;
  if (!view.overview) return nothing;
  const access = view.overview.connection;
  const isWanted = access?.state !== 'CONNECTED';
  return html`<div class="section" part="access">
    <h3>${card('cliniko')}</h3>
    <p class="below">
      <span class=${isWanted ? 'late' : 'good'}>
        ${access?.state === 'CONNECTED' && access.account ? card('connectedTo', { account: access.account }) : words.name(access?.state ?? 'notConnected')}
      </span>
      ${access?.problem ? html`<br />${access.problem.message} ${access.problem.whatToDo}` : nothing}
    </p>
    ${isWanted ? keyForm(scene) : nothing}
  </div>`;
}

function keyForm({ view, card, actions }: Scene): TemplateResult {
  const isChecking = view.pending.has('connect');
  return html`<form
    class="key"
    part="key-form"
    @submit=${(event: SubmitEvent) => {
      event.preventDefault();
      const field = (event.currentTarget as HTMLFormElement).querySelector('input');
      if (!field?.value || isChecking) return;
      actions.connect(field.value.trim());
      field.value = ''; // a key is not left on the screen
    }}
  >
    <label>
      ${card('apiKey')}
      <input id="key" part="key" type="password" name="key" autocomplete="off" spellcheck="false" required />
    </label>
    <button type="submit" part="button connect" aria-disabled=${isChecking}>${card(isChecking ? 'checkingKey' : 'connect')}</button>
  </form>`;
}
