// Starts a sync, follows it, and reads the dashboard with Apollo Client: subscriptions over a websocket, the rest over HTTP.
// Usage: node apollo.mjs [http://localhost:8000] [ORGANIZATION_ID]

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
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

// Reconnecting: graphql-ws does it and subscribes again; Apollo does not notice, and the next state follows the last one.
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
const link = ApolloLink.split(
  ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
  new GraphQLWsLink(socket),
  new SetContextLink(async () => ({ headers: await credentials() })).concat(new HttpLink({ uri: url })),
);
// Documents select `id` wherever a type has one: by it the cache knows that a new state belongs to what it has. PatientStats
// has none and is part of its Dashboard. More in docs/clients.md.
const cache = new InMemoryCache({ typePolicies: { PatientStats: { merge: true } } });
const client = new ApolloClient({ link, cache });

const START = gql`mutation ($id: ID!) { startSync(organizationId: $id) { sync { id syncId } } }`;
const WATCH = gql`subscription ($id: ID!) { syncProgress(syncId: $id) { id status progressPercentage currentStep } }`;
const DASHBOARD = gql`query ($id: ID!) { dashboard(organizationId: $id) { id patientStats { activePatients patientsInCliniko } } }`;

const { data } = await client.mutate({ mutation: START, variables: { id: organizationId } });
await new Promise((complete, error) => {
  const next = ({ data, error: problem }) => {
    if (problem) return error(problem);
    console.log(`${data.syncProgress.progressPercentage} % ${data.syncProgress.currentStep}`);
  };
  client.subscribe({ query: WATCH, variables: { id: data.startSync.sync.syncId } }).subscribe({ next, error, complete });
});
const { dashboard } = (await client.query({ query: DASHBOARD, variables: { id: organizationId } })).data;
console.log(`${dashboard.patientStats.activePatients} of ${dashboard.patientStats.patientsInCliniko} patients are active.`);
await socket.dispose();
