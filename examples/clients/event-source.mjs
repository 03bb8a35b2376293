// Starts a sync over REST and follows it with EventSource, which every browser has.
// Usage: node event-source.mjs [http://localhost:8000] [ORGANIZATION_ID]

import { EventSource } from 'eventsource'; // leave this line out in a browser

const [server = 'http://localhost:8000', organizationId = 'org_2xwHiNrj68eaRUlX10anlXGvzX7'] = process.argv.slice(2);
const api = `${server}/api/v1/sync`;

// Asked for each request and each connection. Yours comes from where people sign in; this one from `routiq-gql demo --auth`.
async function credentials() {
  if (!process.env.ROUTIQ_TOKEN_URL) return {};
  const { token } = await (await fetch(process.env.ROUTIQ_TOKEN_URL, { method: 'POST' })).json();
  return { Authorization: `Bearer ${token}` };
}

const answer = await (await fetch(`${api}/start/${organizationId}`, { method: 'POST', headers: await credentials() })).json();
if (!answer.sync_id) throw new Error(answer.detail);

// EventSource can't send headers. Where the server asks for tokens, one for this sync alone goes into the address; it holds
// until the sync has ended.
async function address() {
  const plain = `${api}/stream/${answer.sync_id}`;
  const headers = await credentials();
  if (!headers.Authorization) return plain;
  const query = `mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }`;
  const made = await fetch(`${server}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ query, variables: { id: answer.sync_id } }),
  });
  const { data, errors } = await made.json();
  if (errors) throw new Error(errors[0].message);
  return `${plain}?token=${data.createStreamToken.token}`;
}

// Reconnecting: EventSource does it by itself three seconds after it noticed that the connection is lost, and sends
// Last-Event-ID: the server resumes behind that event, so no log line is lost or repeated. It does not notice a connection
// that is silent for ever, as after a laptop has slept. So this program opens another one after 45 s without any event; the
// server sends a heartbeat every 15 s. Close it at the end of the sync.
const SILENCE_MS = Number(process.env.SILENCE_MS ?? 45_000);
let lastEventId = '';

async function follow() {
  const url = new URL(await address());
  if (lastEventId) url.searchParams.set('lastEventId', lastEventId);
  const source = new EventSource(url);
  let watchdog;
  const heard = (event) => {
    lastEventId = event?.lastEventId || lastEventId;
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      console.log('The connection is silent, opening another one…');
      source.close();
      void follow();
    }, SILENCE_MS);
  };
  heard();
  source.onopen = () => heard();
  source.onerror = () => {
    if (source.readyState === EventSource.CONNECTING) console.log('Connection lost, trying again…');
  };
  source.addEventListener('heartbeat', heard);
  source.addEventListener('log', (event) => {
    heard(event);
    const line = JSON.parse(event.data);
    console.log(`${line.time} ${line.level} ${line.message}`);
  });
  source.onmessage = (event) => {
    heard(event);
    const sync = JSON.parse(event.data);
    console.log(`${sync.progress_percentage} % ${sync.current_step}`);
    if (['completed', 'failed'].includes(sync.status)) {
      clearTimeout(watchdog);
      source.close();
      console.log('The sync has ended.');
    }
  };
}

await follow();
