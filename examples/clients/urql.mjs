// Starts a sync, follows it, and reads the dashboard with urql: subscriptions over a websocket, the rest over HTTP.
// Usage: node urql.mjs [http://localhost:8000] [ORGANIZATION_ID]

import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // browsers, and Node.js from 22, have one of their own

const [server = 'http://localhost:8000', organizationId = 'org_2xwHiNrj68eaRUlX10anlXGvzX7'] = process.argv.slice(2);
const url = `${server}/graphql`;

// Asked for each request and each connection. Yours comes from where people sign in; this one from `routiq-gql demo --auth`.
async function credentials() {
  if (!process.env.ROUTIQ_TOKEN_URL) return {};
  const { token } = await (await fetch(process.env.ROUTIQ_TOKEN_URL, { method: 'POST' })).json();
  return { Authorization: `Bearer ${token}` };
}

// Reconnecting: graphql-ws does it and subscribes again; urql does not notice, and the next state follows the last one.
// A socket ends some minutes after its token, and comes back with a fresh one.
let overdue;
const socket = createClient({
  url: url.replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: credentials,
  retryAttempts: Infinity,
  shouldRetry: () => true, // also while nothing answers at all
  keepAlive: 10_000, // milliseconds between pings
  on: {
    // Without a pong the connection is gone, as after a laptop has slept. terminate() makes graphql-ws reconnect.
    ping: (received) => {
      if (!received) overdue = setTimeout(() => socket.terminate(), 5_000);
    },
    pong: (received) => received && clearTimeout(overdue),
    closed: () => clearTimeout(overdue),
  },
});
const forwardSubscription = (operation) => ({
  subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...operation, query: operation.query ?? '' }, sink) }),
});
const exchanges = [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })];
const fetchWithToken = async (address, options) =>
  fetch(address, { ...options, headers: { ...options.headers, ...(await credentials()) } });
const client = new Client({ url, exchanges, preferGetMethod: false, fetch: fetchWithToken });

const START = `mutation ($id: ID!) { startSync(organizationId: $id) { syncId } }`;
const WATCH = `subscription ($id: ID!) { syncProgress(syncId: $id) { id status progressPercentage currentStep } }`;
const DASHBOARD = `query ($id: ID!) { dashboard(organizationId: $id) { id patientStats { activePatients patientsInCliniko } } }`;

const started = await client.mutation(START, { id: organizationId });
if (started.error) throw started.error;

await new Promise((resolve, reject) => {
  client.subscription(WATCH, { id: started.data.startSync.syncId }).subscribe(({ data, error, hasNext }) => {
    if (error) return reject(error);
    if (!hasNext) return resolve(); // the server has completed the subscription
    console.log(`${data.syncProgress.progressPercentage} % ${data.syncProgress.currentStep}`);
  });
});
const { dashboard } = (await client.query(DASHBOARD, { id: organizationId })).data;
console.log(`${dashboard.patientStats.activePatients} of ${dashboard.patientStats.patientsInCliniko} patients are active.`);
await socket.dispose();
