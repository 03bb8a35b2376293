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

let lastSeen = ''; // the id of the newest event

// EventSource can't send headers. Where the server asks for tokens, one for this sync alone goes into the address; it ends
// with the sync, or with the token that it was made with.
async function address() {
  const plain = `${api}/stream/${answer.sync_id}?after=${lastSeen}`;
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
  return `${plain}&token=${data.createStreamToken.token}`;
}

// Reconnecting: EventSource does it by itself three seconds after it noticed that the connection is lost, and sends
// Last-Event-ID: the server resumes behind that event, so no log line is lost or repeated. Two things it leaves to the
// program. It gives up when the address is refused, as once its token has ended. And it does not notice a connection that is
// silent for ever, as after a laptop has slept; the server sends a heartbeat every 15 s. In both cases a fresh address
// resumes in the same way. Close it at the end of the sync.
const SILENCE_MS = Number(process.env.SILENCE_MS ?? 45_000);

async function follow() {
  const source = new EventSource(await address());
  let watchdog;
  const heard = (event) => {
    lastSeen = event?.lastEventId || lastSeen;
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      console.log('The connection is silent, opening another one…');
      source.close();
      followAgain(0);
    }, SILENCE_MS);
  };
  heard();
  source.onopen = () => heard();
  source.onerror = () => {
    console.log('Connection lost, trying again…');
    if (source.readyState !== EventSource.CLOSED) return;
    clearTimeout(watchdog);
    followAgain();
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

function followAgain(wait = 3000) {
  setTimeout(() => follow().catch(() => followAgain()), wait);
}

await follow();
