/** What the last actions came to, beside their buttons, and what screen readers announce. */

import { type ActionName, type ActionResult, isOver, type Sync, type SyncView } from '../../core/types';
import { byId, say, setText, tone } from '../dom';
import { page, serverNow, words } from '../page';

const PLACES: Record<string, readonly ActionName[]> = {
  sync: ['start', 'startFull', 'cancel', 'refresh'],
  history: ['history', 'moreHistory'],
};

export function renderMessages(): void {
  const { results } = page.view;
  for (const [place, actions] of Object.entries(PLACES)) {
    const errors = actions.flatMap((action) => results.get(action) ?? []).filter(({ isError }) => isError);
    put(place, errors.at(-1));
  }
  const connect = results.get('connect');
  put('connect', connect?.isError ? connect : undefined);
  put('connection', connect && !connect.isError ? connectedText(connect) : undefined);
  byId('api-key').ariaInvalid = connect?.isError ? 'true' : null;
}

function put(place: string, result: ActionResult | undefined): void {
  setText(`${place}-message`, result?.text ?? '');
  if (result) tone(byId(`${place}-message`), result.isError ? 'red' : 'green');
}

let connected: ActionResult | null = null;
let newestThen: string | undefined;

// What a new connection leads to; until the next sync, or until the connection is another one.
function connectedText(result: ActionResult): ActionResult | undefined {
  const { overview, sync } = page.view;
  if (connected !== result) [connected, newestThen] = [result, sync?.syncId];
  if (sync?.syncId !== newestThen || overview?.connection?.state !== 'CONNECTED') return undefined;
  const next = overview.currentSync ? 'The running sync continues.' : 'Start a sync to copy its patients.';
  return { isError: false, text: `Connected to ${overview.connection.account || 'Cliniko'}. ${next}` };
}

/** Announces to screen readers what has changed: each change once. */
export function announce(before: SyncView, after: SyncView): void {
  if (after.connection === 'lost' && before.connection === 'live') say('Connection to the server lost. The page tries again by itself.');
  if (after.connection === 'live' && before.connection === 'lost') say('Connected to the server again.');
  const { sync } = after;
  if (!sync || sync === before.sync) return;
  const text = isFirst(before.sync, sync) ? null : words.announcement(before.sync, sync, serverNow());
  if (text !== null) say(text);
}

// An ended sync that is shown when the page opens is no news.
const isFirst = (before: Sync | null, sync: Sync): boolean => before === null && isOver(sync);
