/** The organization's access to Cliniko: its state, and the form for a key with what came of it. */

import { byId, setText, show, tone } from '../dom';
import { isFocusLost, moveFocus, setDisabled } from '../focus';
import { page, words } from '../page';
import { renderNow } from '../render';

const TONES: Record<string, string> = { CONNECTED: 'green', NEEDS_ATTENTION: 'red', DISABLED: 'amber' };

let checkedSince = 0;

export function buildConnection(): void {
  byId('connect-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void connect();
  });
}

export function renderConnection(): void {
  const { overview, sync, results, pending } = page.view;
  show('connection', overview !== null);
  if (!overview) return;
  const { connection } = overview;
  const isFine = connection?.state === 'CONNECTED';
  setText('connection-state', connection ? words.name(connection.state) : words.say('notConnected'));
  tone(byId('connection-state'), TONES[connection?.state ?? ''] ?? 'grey');
  show('connection-facts', connection !== null);
  setText('account', connection?.account || '–');
  setText('checked', connection?.lastValidatedAt ? words.dayAndTime(connection.lastValidatedAt) : 'never');
  const problem = connection?.problem ?? null;
  show('connection-problem', problem !== null);
  byId('connection-problem').classList.toggle('is-in-sync', problem !== null && sync?.failure?.message === problem.message);
  setText('connection-problem-text', problem?.message ?? '');
  setText('connection-advice', problem?.whatToDo ?? '');
  const result = results.get('connect');
  byId('connection').classList.toggle('urgent', !isFine || result?.isError === false);
  setText('connect-summary', isFine ? 'Replace the API key' : 'Connect with an API key');
  const details = byId<HTMLDetailsElement>('connect');
  if (details.dataset['urgent'] !== String(!isFine)) {
    // once for each change; afterwards it is the reader's
    details.dataset['urgent'] = String(!isFine);
    details.open = !isFine;
  }
  setDisabled('connect-button', pending.has('connect'));
  setText('connect-button', pending.has('connect') ? 'Checking the key…' : 'Connect');
  show('connect-progress', pending.has('connect'));
  setText('title', connection?.account || 'Sync dashboard');
}

/** How long a key is being checked. */
export function renderConnectTimes(): void {
  if (!page.view.pending.has('connect')) return;
  const seconds = Math.floor((Date.now() - checkedSince) / 1000);
  setText('connect-so-far', `Asking Cliniko whether it accepts the key${seconds ? `, ${words.duration(seconds)} so far` : ''}.`);
}

async function connect(): Promise<void> {
  const { client } = page;
  const field = byId<HTMLInputElement>('api-key');
  if (!client) return;
  const wasFine = page.view.overview?.connection?.state === 'CONNECTED';
  checkedSince = Date.now();
  const { ok } = await client.connectCliniko(field.value);
  if (client !== page.client) return;
  if (ok || client.getView().connection === 'live') field.value = ''; // and else it may be tried again
  if (!ok) return;
  const isHere = byId('connect').contains(document.activeElement) || isFocusLost();
  renderNow();
  byId<HTMLDetailsElement>('connect').open = false;
  if (isHere) moveFocus(byId(wasFine || byId<HTMLButtonElement>('start').disabled ? 'connect-summary' : 'start'));
}

/** Opens the form and puts the focus on the field for the key. */
export function askForKey(): void {
  byId<HTMLDetailsElement>('connect').open = true;
  byId('connection').scrollIntoView({ block: 'nearest' });
  byId('api-key').focus();
}
