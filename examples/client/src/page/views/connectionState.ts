/** The connection of the page to the server: the word in the header, what is wrong, and the field for a token. */

import type { Connection } from '../../core/types';
import { setText, show, tone, byId } from '../dom';
import { setDisabled } from '../focus';
import { page, words } from '../page';
import { canFetchToken } from '../tokens';

const isAway = (connection: Connection): boolean => connection === 'lost' || connection === 'unreachable';

export function renderLink(): void {
  const { connection, transport, problem, needsToken } = page.view;
  const link = byId('link');
  link.dataset['phase'] = connection;
  tone(link, connection === 'live' ? 'green' : connection === 'connecting' || connection === 'paused' ? 'grey' : 'amber');
  const word =
    connection === 'live' && transport
      ? words.say('live', { transport: words.say(transport) })
      : connection === 'unreachable'
        ? words.say('lost')
        : words.name(connection);
  setText('link-text', page.place.organization ? word : '');
  show('line-lost', isAway(connection));
  show('problem', problem !== null && !isAway(connection) && needsToken === null);
  setText('problem-text', problem ?? '');
  show('problem-again', connection === 'refused');
}

export function renderSignIn(): void {
  const { needsToken, connection } = page.view;
  show('sign-in', needsToken !== null);
  const isTried = connection === 'connecting';
  setText('sign-in-text', needsToken !== null && isTried ? 'Checking…' : (needsToken ?? ''));
  show('token-field', !canFetchToken());
  show('token-hint', !canFetchToken());
  byId<HTMLInputElement>('token').disabled = canFetchToken();
  setText('sign-in-button', canFetchToken() ? 'Try again' : 'Use this token');
  setDisabled('sign-in-button', isTried);
}

/** As of when the page is, and when the next attempt starts. */
export function renderLostTimes(): void {
  const { connection, asOf, retryAt } = page.view;
  if (!isAway(connection)) return;
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - Date.now()) / 1000);
  const since = asOf ? [words.say('stateOf', { time: words.clockTime(asOf) })] : [];
  const next = seconds > 0 ? words.say('nextTry', { left: words.duration(seconds) }) : words.say('tryingNow');
  setText('line-lost-text', [...since, next].join(' '));
}
