// Starts a sync and follows it with graphql-ws alone.
// Usage: node graphql-ws.mjs [http://localhost:8000] [ORGANIZATION_ID]

import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // browsers, and Node.js from 22, have one of their own

const [server = 'http://localhost:8000', organizationId = 'org_2xwHiNrj68eaRUlX10anlXGvzX7'] = process.argv.slice(2);

// Asked for each request and each connection. Yours comes from where people sign in; this one from `routiq-gql demo --auth`.
async function credentials() {
  if (!process.env.ROUTIQ_TOKEN_URL) return {};
  const { token } = await (await fetch(process.env.ROUTIQ_TOKEN_URL, { method: 'POST' })).json();
  return { Authorization: `Bearer ${token}` };
}

// Reconnecting: by itself, for as long as something is subscribed, and then it subscribes again. syncProgress begins with
// the state of that moment, so nothing is missed. A socket ends some minutes after its token, and comes back with a fresh one.
let overdue;
const client = createClient({
  url: `${server.replace(/^http/, 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  retryAttempts: Infinity,
  shouldRetry: () => true, // also while nothing answers at all
  keepAlive: 10_000, // milliseconds between pings
  on: {
    // Without a pong the connection is gone, as after a laptop has slept. terminate() makes graphql-ws reconnect.
    ping: (received) => {
      if (!received) overdue = setTimeout(() => client.terminate(), 5_000);
    },
    pong: (received) => received && clearTimeout(overdue),
    closed: () => clearTimeout(overdue),
  },
  connectionParams: credentials,
});

// The results of an operation, one after the other; a query or mutation has one.
async function* ask(query, variables) {
  for await (const { data, errors } of client.iterate({ query, variables })) {
    if (errors) throw new Error(errors[0].message);
    yield data;
  }
}

const { value } = await ask(`mutation ($id: ID!) { startSync(organizationId: $id) { syncId } }`, { id: organizationId }).next();
const { syncId } = value.startSync;

const progress = `subscription ($syncId: ID!) { syncProgress(syncId: $syncId) { id status progressPercentage currentStep } }`;
for await (const { syncProgress } of ask(progress, { syncId })) {
  console.log(`${syncProgress.progressPercentage} % ${syncProgress.currentStep}`);
}
console.log('The sync has ended.');
await client.dispose();
