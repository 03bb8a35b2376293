// src/socket.ts
import { createClient } from 'graphql-ws';
import { resumable } from 'routiq-gql-element/resume';
import { SOCKET_URL } from './server';
import { getToken } from './token';

const credentials = async () => {
  const token = await getToken();
  return token ? { Authorization: `Bearer ${token}` } : {};
};

let overdue: ReturnType<typeof setTimeout> | undefined;
let renewal: ReturnType<typeof setInterval> | undefined;

const client = createClient({
  url: SOCKET_URL,
  connectionParams: credentials, // called for each connection, so each begins with a fresh token
  retryAttempts: Infinity,
  shouldRetry: () => true, // also while the server is down or no token can be fetched
  lazyCloseTimeout: 3_000, // the next view may use the connection of the last one
  keepAlive: 10_000,
  on: {
    connected: (opened) => {
      const renew = async () =>
        (opened as WebSocket).send(JSON.stringify({ type: 'ping', payload: await credentials() }));
      renewal = setInterval(() => renew().catch(console.warn), 10_000);
    },
    ping: (received) => {
      if (!received) overdue = setTimeout(() => client.terminate(), 5_000); // no pong: reconnect
    },
    pong: () => clearTimeout(overdue),
    closed: () => {
      clearTimeout(overdue);
      clearInterval(renewal);
    },
  },
});

/** Subscriptions with `after` continue behind their last event after each reconnect. */
export const socket = resumable(client);
