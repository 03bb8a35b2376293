// Follows the running sync of an organization over HTTP with one of the clients that can: graphql-sse and urql take
// event streams, Apollo Client takes multipart. Of these only graphql-sse reconnects; the others subscribe again.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { createClient } from 'graphql-sse';

const [name, server, organizationId] = process.argv.slice(2);
const url = `${server}/graphql`;
const WATCH = `subscription ($id: ID!) {
  syncProgress(syncId: $id) { id status progressPercentage currentStep version }
}`;
const ENDED = ['COMPLETED', 'FAILED', 'CANCELLED'];
const PAUSE_MILLISECONDS = 300;
const MOST_ATTEMPTS = 200;

const ways = {
  'graphql-sse': () => {
    const client = createClient({ url, retryAttempts: MOST_ATTEMPTS, retry: pause });
    return (variables, sink) => client.subscribe({ query: WATCH, variables }, sink);
  },
  urql: () => {
    const client = new Client({ url, exchanges: [fetchExchange], fetchSubscriptions: true, preferGetMethod: false });
    return (variables, { next, error, complete }) =>
      client.subscription(WATCH, variables).subscribe((result) => {
        if (result.error) error(result.error);
        else if (result.data) next(result);
        if (!result.hasNext) complete();
      });
  },
  apollo: () => {
    const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
    return (variables, sink) => client.subscribe({ query: gql(WATCH), variables }).subscribe(sink);
  },
};

function pause() {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
}

async function start() {
  const answer = await fetch(`${server}/api/v1/sync/start/${organizationId}`, { method: 'POST' });
  return (await answer.json()).sync_id;
}

const subscribe = ways[name]();
const id = await start();
let last = { version: 0 };
let attempts = 0;
while (!ENDED.includes(last.status)) {
  if (++attempts > MOST_ATTEMPTS) throw new Error('It did not come back.');
  await new Promise((resolve) => {
    subscribe(
      { id },
      {
        next: ({ data, errors }) => {
          if (!data) return console.log(JSON.stringify(errors));
          last = data.syncProgress;
          console.log(`${last.version}: ${last.progressPercentage} % ${last.currentStep}`);
        },
        error: resolve,
        complete: resolve,
      },
    );
  });
  if (!ENDED.includes(last.status)) await pause();
}
console.log(`The sync has ended: ${last.status}.`);
process.exit(0);
