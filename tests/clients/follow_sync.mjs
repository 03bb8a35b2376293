// Follows one sync with npm's graphql-ws, as a page would, and prints what it saw as one line of JSON.
// Usage: node follow_sync.mjs http://127.0.0.1:8000 SYNC_ID

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [baseUrl, syncId] = process.argv.slice(2);

const client = createClient({
  url: `${baseUrl.replace(/^http/, 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
});

const seen = [];
await new Promise((resolve, reject) => {
  client.subscribe(
    {
      query: `subscription ($syncId: ID!) {
        syncProgress(syncId: $syncId) {
          status progressPercentage currentStep version patientsFound appointmentsFound activePatientsStored
        }
      }`,
      variables: { syncId },
    },
    {
      next: (message) => (message.errors ? reject(message.errors) : seen.push(message.data.syncProgress)),
      error: reject,
      complete: resolve,
    },
  );
});
await client.dispose();
console.log(JSON.stringify({ completed: true, seen }));
