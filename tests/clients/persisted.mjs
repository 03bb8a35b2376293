// Executes a few operations with clients that would rather send the hash of a document than its text, and prints for
// each way what its requests named and what its operations brought. Usage: node persisted.mjs SERVER ORGANIZATION
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [server, organizationId] = process.argv.slice(2);
const url = `${server}/graphql`;
let sent = [];

const DASHBOARD = `query Dashboard($id: ID!) { dashboard(organizationId: $id) { id syncAvailable } }`;
const HISTORY = `query History($id: ID!) { history(organizationId: $id) { totalSyncs } }`;
const START = `mutation Start($id: ID!) { startSync(organizationId: $id) { organizationId } }`;
const WATCH = `subscription Watch($id: ID!) { dashboardUpdated(organizationId: $id) { id syncAvailable } }`;
const FOLLOW = `subscription Follow($id: ID!) { dashboardUpdated(organizationId: $id) { id } }`;
const variables = { id: organizationId };

function note(method, request) {
  sent.push({ method, text: Boolean(request.query), hash: Boolean(request.extensions?.persistedQuery) });
}

async function notingFetch(address, options = {}) {
  const given = options.method === 'GET' ? Object.fromEntries(new URL(address).searchParams) : JSON.parse(options.body);
  if (typeof given.extensions === 'string') given.extensions = JSON.parse(given.extensions);
  note(options.method, given);
  return fetch(address, options);
}

function sockets() {
  const client = createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
  return {
    ...client,
    subscribe(request, sink) {
      note('WEBSOCKET', request);
      return client.subscribe(request, sink);
    },
  };
}

function apollo(options, last = new HttpLink({ uri: url, fetch: notingFetch })) {
  const sha256 = async (text) => createHash('sha256').update(text).digest('hex');
  return new ApolloClient({
    link: ApolloLink.from([new PersistedQueryLink({ sha256, ...options }), last]),
    cache: new InMemoryCache(),
  });
}

async function askApollo(options) {
  const client = apollo(options);
  const found = [];
  for (const query of [DASHBOARD, HISTORY]) {
    found.push((await client.query({ query: gql(query), variables, fetchPolicy: 'no-cache' })).data);
  }
  found.push((await client.mutate({ mutation: gql(START), variables })).data);
  return found;
}

function first(subscribe) {
  return new Promise((resolve, reject) => {
    subscribe({ next: ({ data, error }) => (data ? resolve(data) : reject(error)), error: reject });
  });
}

async function askUrql(options) {
  const { preferGetForPersistedQueries = false } = options;
  const persisted = persistedExchange({ enableForMutation: true, preferGetForPersistedQueries });
  const client = new Client({ url, fetch: notingFetch, preferGetMethod: false, exchanges: [persisted, fetchExchange] });
  const answers = [
    await client.query(DASHBOARD, variables).toPromise(),
    await client.query(HISTORY, variables).toPromise(),
    await client.mutation(START, variables).toPromise(),
  ];
  return answers.map(({ data, error }) => data ?? { error: String(error) });
}

async function watchUrql(exchange, fetchSubscriptions) {
  const persisted = persistedExchange({ enableForSubscriptions: true });
  const client = new Client({
    url,
    fetch: notingFetch,
    fetchSubscriptions,
    preferGetMethod: false,
    exchanges: [persisted, exchange],
  });
  const found = [];
  for (const document of [WATCH, FOLLOW]) {
    found.push(
      await first(({ next, error }) =>
        client.subscription(document, variables).subscribe((result) => (result.error ? error(result.error) : next(result))),
      ),
    );
  }
  return found;
}

const ways = {
  'apollo POST': () => askApollo({}),
  'apollo GET': () => askApollo({ useGETForHashedQueries: true }),
  'apollo multipart': async () => {
    const client = apollo({});
    const watched = (query) => first((sink) => client.subscribe({ query: gql(query), variables }).subscribe(sink));
    return [await watched(WATCH), await watched(FOLLOW)];
  },
  'apollo websocket': async () => {
    const client = apollo({}, new GraphQLWsLink(sockets()));
    return [await first((sink) => client.subscribe({ query: gql(WATCH), variables }).subscribe(sink))];
  },
  'urql POST': () => askUrql({}),
  'urql GET': () => askUrql({ preferGetForPersistedQueries: true }),
  'urql event stream': () => watchUrql(fetchExchange, true),
  'urql websocket': () => {
    const client = sockets();
    return watchUrql(
      subscriptionExchange({
        // As urql's documentation has it.
        forwardSubscription(request) {
          const input = { ...request, query: request.query || '' };
          return { subscribe: (sink) => ({ unsubscribe: client.subscribe(input, sink) }) };
        },
      }),
      false,
    );
  },
  'graphql-ws': async () => {
    const client = sockets();
    const steady = first((sink) => client.subscribe({ query: WATCH, variables }, sink));
    const errors = await new Promise((resolve, reject) => {
      const persistedQuery = { version: 1, sha256Hash: createHash('sha256').update(DASHBOARD).digest('hex') };
      const refused = { next: reject, error: resolve, complete: reject };
      client.subscribe({ query: '', variables, extensions: { persistedQuery } }, refused); // a text is required
    });
    const again = await first((sink) => client.subscribe({ query: DASHBOARD, variables }, { complete() {}, ...sink }));
    return [await steady, { errors }, again];
  },
};

const report = {};
for (const [name, run] of Object.entries(ways)) {
  sent = [];
  report[name] = await run().then(
    (found) => ({ sent, found }),
    (error) => ({ sent, error: String(error) }),
  );
}
console.log(JSON.stringify(report));
process.exit(0);
