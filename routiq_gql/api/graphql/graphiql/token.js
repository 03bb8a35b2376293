// The token that goes with requests and websockets, and the form for it above GraphiQL.
//
// A typed token is kept in this browser tab only (sessionStorage): not in localStorage, not in the address, and not in
// GraphiQL's own headers. Without one, a demo's page fetches tokens from where the demo gives them out.

const STORED = 'routiq-token';
const LONGEST_REUSE_MS = 30_000; // of a fetched token; a demo's live a minute
const FETCH_LIMIT_MS = 20_000;
const REFUSALS = new Set(['UNAUTHENTICATED', 'FORBIDDEN']);

const filledIn = (name) => document.querySelector(`meta[name=routiq-${name}]`).content;
const organizationId = filledIn('organization');
const source = filledIn('token') && new URL(filledIn('token').replace(/^\/+/, ''), new URL('.', location.href));
const $ = (id) => document.getElementById(id);

export const isAskedFor = !['', 'off'].includes(filledIn('auth'));

let typed = '';
let fetched = null; // {token, until}

export const canFetch = () => isAskedFor && Boolean(source) && !typed;
export const isMissing = () => isAskedFor && !typed && !source;

function keep(token) {
  typed = token;
  fetched = null;
  try {
    if (token) sessionStorage.setItem(STORED, token);
    else sessionStorage.removeItem(STORED);
  } catch { /* a browser that stores nothing: the token ends with the page */ }
  show('');
}

function stored() {
  try {
    return sessionStorage.getItem(STORED) || '';
  } catch {
    return '';
  }
}

function show(refusal, note = '') {
  $('remove-token').hidden = !typed;
  $('token-refusal').textContent = refusal;
  $('token-state').textContent = note || (typed
    ? refusal
      ? 'Use another token, or remove this one.'
      : 'In use. This browser tab keeps it until you close the tab or remove the token.'
    : source
      ? 'This demo fills in tokens of its own. You can use another one instead.'
      : 'This server asks for a token. It is sent with requests and websockets.');
}

// Headers with the token; none where the server asks for none, or while there is none.
export async function headers() {
  if (!isAskedFor) return {};
  if (typed) return { Authorization: `Bearer ${typed}` };
  if (!source) return {};
  if (!fetched || Date.now() >= fetched.until) {
    const url = new URL(source);
    url.searchParams.set('organization', organizationId);
    let answer;
    try {
      const response = await fetch(url, { method: 'POST', cache: 'no-store', signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
      answer = await response.json();
    } catch (error) {
      throw new Error('The demo gave no token. Check that it is running.', { cause: error });
    }
    fetched = { token: answer.token, until: Date.now() + LONGEST_REUSE_MS };
  }
  return { Authorization: `Bearer ${fetched.token}` };
}

// Have the next request fetch a token, in place of one that was refused.
export function refetch() {
  fetched = null;
}

// Shows beside the field what became of a request. `sent` is its Authorization header, `isOurs` whether it is from here.
export function noteAnswer({ sent, isOurs, code, message }) {
  if (!isAskedFor) return;
  if (!isOurs) {
    show('', 'The Authorization header under “Headers” was sent instead of this token.');
    return;
  }
  const current = typed ? `Bearer ${typed}` : fetched ? `Bearer ${fetched.token}` : undefined;
  if (sent !== current) return; // the token was changed meanwhile
  show(REFUSALS.has(code) ? message : '');
}

// Begins, and calls `changed` whenever a token is typed in or removed.
export function start(changed) {
  if (!isAskedFor) return;
  const given = new URLSearchParams(location.hash.slice(1)).get('token'); // as the dashboard page takes it
  if (given) history.replaceState(history.state, '', location.pathname + location.search);
  keep(given || stored());
  $('token-form').hidden = false;
  $('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const token = $('token').value.trim().replace(/^bearer\s+/i, '');
    $('token').value = '';
    keep(token);
    changed();
  });
  $('remove-token').addEventListener('click', () => {
    keep('');
    $('token').focus();
    changed();
  });
}
