/** The panel of a demo that makes the emulated Cliniko misbehave. Other servers have no such panel. */

import { beside, filledIn } from '../address';
import { byId, element, setText, show, tone } from '../dom';
import { setDisabled } from '../focus';
import { page } from '../page';
import { renderNow, renderSoon } from '../render';
import { tokenFor } from '../tokens';
import { isRunning } from './steps';

interface Kind {
  name: string;
  title: string;
  text: string;
  needs_sync: boolean;
}
interface Message {
  text: string;
  isError: boolean;
  /** The sync that was shown: the message stands until the next one. */
  syncId: string | undefined;
}

let hasKinds = false;
let message: Message | null = null;
const busy = new Set<string>();

async function ask<Answer>(options: RequestInit): Promise<Answer> {
  const token = await tokenFor(page.place.organization);
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(beside(filledIn('trouble')), { ...options, headers, cache: 'no-store', signal: AbortSignal.timeout(20_000) });
  const answer = (await response.json()) as Answer & { detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `The server answered ${response.status}.`);
  return answer;
}

/** Asks the demo which kinds of trouble it has. */
export async function buildTrouble(): Promise<void> {
  if (!filledIn('trouble')) return;
  const { kinds, api_key: key } = await ask<{ kinds: Kind[]; api_key: string }>({});
  byId('trouble-kinds').replaceChildren(...kinds.map((kind) => {
    const button = element('button', { type: 'button' }, kind.title, element('span', { textContent: kind.text }));
    Object.assign(button.dataset, { kind: kind.name, needsSync: String(kind.needs_sync) });
    button.addEventListener('click', () => void make(kind.name));
    return button;
  }));
  setText('trouble-key', key);
  show('trouble-key-details', Boolean(key));
  hasKinds = true;
  renderSoon();
}

async function make(kind: string): Promise<void> {
  const { client, place } = page;
  if (!client || busy.has(kind)) return;
  busy.add(kind);
  message = null;
  renderSoon();
  try {
    const body = JSON.stringify({ kind, organization_id: place.organization });
    const answer = await ask<{ message: string; needs_sync: boolean }>({ method: 'POST', body });
    if (answer.needs_sync) {
      await client.refresh();
      renderNow();
      if (page.view.overview?.syncAvailable && !isRunning(page.view.sync)) await client.start();
    }
    renderNow();
    message = { text: answer.message, isError: false, syncId: page.view.sync?.syncId };
  } catch (error) {
    const isLost = !(error instanceof Error) || error instanceof TypeError || error.name === 'TimeoutError';
    const text = isLost ? 'The server could not be reached. Try again.' : error.message;
    message = { text, isError: true, syncId: page.view.sync?.syncId };
  } finally {
    busy.delete(kind);
    renderSoon();
  }
}

export function renderTrouble(): void {
  const { overview, sync } = page.view;
  show('trouble', hasKinds && overview !== null);
  if (!hasKinds || !overview) return;
  const isUsable = overview.syncAvailable || overview.currentSync !== null;
  show('trouble-why', !isUsable);
  for (const button of byId('trouble-kinds').querySelectorAll('button')) {
    setDisabled('', !isUsable && button.dataset['needsSync'] === 'true', button);
  }
  if (message && message.syncId !== sync?.syncId) message = null;
  setText('trouble-message', message?.text ?? '');
  tone(byId('trouble-message'), message?.isError ? 'red' : 'grey');
}
