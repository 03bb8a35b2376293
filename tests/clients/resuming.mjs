// Follows a sync's log and the changes of an organization's patients with one of the libraries over graphql-ws, and prints
// the `seq` and the `cursor` of each event that it delivers as one line of JSON, once there are as many as expected.
// The requests of Relay are relay-compiler's output for ./relay/resuming.js, which has the two subscriptions below.
// Usage: node resuming.mjs LIBRARY http://127.0.0.1:8000 '{"syncId": …, "organizationId": …, "after": …}' LINES CHANGES
// `node resuming.mjs manifest` prints both subscriptions as trusted documents instead.

import { createHash } from 'node:crypto';
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import relay from 'relay-runtime';
import WebSocket from 'ws';

import { resumable } from '../../examples/element/resume.js';
import relayChanges from './relay/__generated__/resumingChangesSubscription.graphql.js';
import relayLog from './relay/__generated__/resumingLogSubscription.graphql.js';

const [library, url = '', given = '{}', lines, changes] = process.argv.slice(2);
const { syncId, organizationId, after } = JSON.parse(given);
const LOG = `subscription Log($syncId: ID!, $after: Int) { syncLog(syncId: $syncId, after: $after) { id seq message } }`;
const CHANGES = `subscription Changes($organizationId: ID!, $after: String) {
  patientsChanged(organizationId: $organizationId, after: $after) { cursor name }
}`;
const idOf = (text) => createHash('sha256').update(text).digest('hex');

if (library === 'manifest') {
  console.log(JSON.stringify(Object.fromEntries([LOG, CHANGES].map((text) => [idOf(text), text]))));
  process.exit();
}

const socket = resumable(
  createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: async () => {},
  }),
);

/** For each library a function that subscribes: (subscription, variables, sink with the data of each event). */
const LIBRARIES = {
  'graphql-ws': () => ({ query }, variables, { next, ...rest }) =>
    socket.subscribe({ query, variables }, { ...rest, next: ({ data }) => next(data) }),
  trusted: () => ({ query }, variables, { next, ...rest }) =>
    socket.subscribe({ query: '', documentId: idOf(query), variables }, { ...rest, next: ({ data }) => next(data) }),
  iterator: () => async ({ query }, variables, { next, complete }) => {
    for await (const { data } of socket.iterate({ query, variables })) next(data);
    complete();
  },
  apollo: () => {
    const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: new InMemoryCache() });
    return ({ query }, variables, { next, ...rest }) =>
      client.subscribe({ query: gql(query), variables }).subscribe({ ...rest, next: ({ data, error }) => (error ? rest.error(error) : next(data)) });
  },
  urql: () => {
    const exchange = subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
      }),
    });
    const client = new Client({ url, exchanges: [exchange], preferGetMethod: false });
    return ({ query }, variables, { next, error, complete }) =>
      client.subscription(query, variables).subscribe((result) => {
        if (result.error) error(result.error);
        else if (result.hasNext) next(result.data);
        else complete(); // with the last event once more
      });
  },
  relay: () => {
    const subscribe = ({ text }, variables) =>
      relay.Observable.create((sink) => socket.subscribe({ query: text, variables }, sink));
    const network = relay.Network.create(() => Promise.reject(new Error('There are no queries.')), subscribe);
    const environment = new relay.Environment({ network, store: new relay.Store(new relay.RecordSource()) });
    return ({ compiled }, variables, { next, error, complete }) =>
      relay.requestSubscription(environment, {
        subscription: compiled,
        variables,
        onNext: next,
        onError: error,
        onCompleted: complete,
      });
  },
};

const subscribe = LIBRARIES[library]();
const seen = { lines: [], changes: [], hasCompleted: false };

await new Promise((resolve, error) => {
  const check = () => seen.hasCompleted && seen.lines.length >= lines && seen.changes.length >= changes && resolve();
  const complete = () => {
    seen.hasCompleted = true;
    check();
  };
  subscribe({ query: LOG, compiled: relayLog }, Object.freeze({ syncId, after: 0 }), {
    next: ({ syncLog }) => seen.lines.push(syncLog.seq),
    error,
    complete,
  });
  subscribe({ query: CHANGES, compiled: relayChanges }, Object.freeze({ organizationId, after }), {
    next: ({ patientsChanged }) => {
      seen.changes.push(patientsChanged.cursor);
      check();
    },
    error,
    complete: () => error(new Error('The changes have ended.')),
  });
});
console.log(JSON.stringify(seen));
process.exit();
