// Executes documents by their ids in manifests, with several clients, and prints for each way what its requests named and
// what its operations brought. Usage: node trusted.mjs SERVER ORGANIZATION MANIFEST...
import { readFileSync } from 'node:fs';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [server, organizationId, ...manifests] = process.argv.slice(2);
const url = `${server}/graphql`;
let sent = [];

const variables = { organizationId };

function note(method, request) {
  const id = request.documentId ?? request.extensions?.persistedQuery?.sha256Hash;
  sent.push({ method, text: Boolean(request.query), id: id ?? null });
}

async function notingFetch(address, options = {}) {
  const given = options.method === 'GET' ? Object.fromEntries(new URL(address).searchParams) : JSON.parse(options.body);
  if (typeof given.extensions === 'string') given.extensions = JSON.parse(given.extensions);
  note(options.method, given);
  return fetch(address, options);
}

function first(subscribe) {
  return new Promise((resolve, reject) => {
    subscribe({
      next: ({ data, error, errors }) => (data ? resolve(data) : reject(error ?? errors)),
      error: reject,
      complete: () => {},
    });
  });
}

function apollo(id, options) {
  const persisted = new PersistedQueryLink({ generateHash: () => id, ...options });
  return new ApolloClient({
    link: ApolloLink.from([persisted, new HttpLink({ uri: url, fetch: notingFetch })]),
    cache: new InMemoryCache(),
    defaultOptions: { query: { fetchPolicy: 'no-cache' } },
  });
}

function urql(id, options) {
  const persisted = persistedExchange({
    generateHash: async () => id,
    enableForMutation: true,
    enableForSubscriptions: true,
    ...options,
  });
  const exchanges = [persisted, fetchExchange];
  return new Client({ url, fetch: notingFetch, fetchSubscriptions: true, preferGetMethod: false, exchanges });
}

async function byFetch(id) {
  const body = JSON.stringify({ documentId: id, variables });
  const headers = { 'Content-Type': 'application/json' };
  return (await (await notingFetch(url, { method: 'POST', headers, body })).json()).data;
}

function byWebsocket(id) {
  const client = createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
  const request = { query: '', documentId: id, variables };
  note('WEBSOCKET', request);
  return first((sink) => client.subscribe(request, sink)).finally(() => client.dispose());
}

/** One way for each kind of operation, by transport. */
function waysOf({ query, mutation, subscription }) {
  const document = ({ text }) => parse(text);
  return {
    fetch: () => byFetch(query.id),
    'apollo POST': async () => (await apollo(query.id).query({ query: document(query), variables })).data,
    'apollo GET': async () =>
      (await apollo(query.id, { useGETForHashedQueries: true }).query({ query: document(query), variables })).data,
    'apollo mutation': async () =>
      (await apollo(mutation.id).mutate({ mutation: document(mutation), variables })).data,
    'apollo multipart': () =>
      first((sink) => apollo(subscription.id).subscribe({ query: document(subscription), variables }).subscribe(sink)),
    'urql GET': async () =>
      (await urql(query.id, { preferGetForPersistedQueries: true }).query(document(query), variables).toPromise()).data,
    'urql event stream': () =>
      first(({ next }) => urql(subscription.id).subscription(document(subscription), variables).subscribe(next)),
    'graphql-ws query': () => byWebsocket(query.id),
    'graphql-ws subscription': () => byWebsocket(subscription.id),
  };
}

const report = [];
for (const manifest of manifests) {
  const entries = Object.entries(JSON.parse(readFileSync(manifest, 'utf8'))).map(([id, text]) => ({ id, text }));
  const kindOf = ({ text }) => parse(text).definitions.find(({ kind }) => kind === 'OperationDefinition').operation;
  const byKind = Object.fromEntries(entries.map((entry) => [kindOf(entry), entry]));
  const found = {};
  for (const [name, run] of Object.entries(waysOf(byKind))) {
    sent = [];
    found[name] = await run().then(
      (data) => ({ sent, data }),
      (error) => ({ sent, error: String(error) }),
    );
  }
  report.push({ ids: entries.map(({ id }) => id), found });
}
console.log(JSON.stringify(report));
process.exit(0);
