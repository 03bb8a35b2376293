// One websocket that outlives restarts of the server, sleeping laptops and tokens, and subscriptions that outlive it.

import { type Client, CloseCode, createClient } from 'graphql-ws';

import type { TypedDocumentString } from './gql/graphql';
import { keepRenewed } from './renewal';
import { type GetToken, credentials } from './requests';

/**
 * How the line to the server is: `connecting` for the first time, `live`, `lost` and being tried again, or `refused`,
 * which trying again does not change.
 */
export type Connection = 'connecting' | 'live' | 'lost' | 'refused';

const ACCEPTED_WITHIN_MS = 15_000;
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000; // a line without any sign of life for longer than this is given up
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

/** Waits longer after each failure, and not at all once the browser is online again. A little chance spreads crowds. */
function pause(retries: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve();
    };
    const wait = Math.min(FIRST_WAIT_MS * 2 ** retries, LONGEST_WAIT_MS);
    const timer = setTimeout(done, wait * (0.75 + Math.random() / 2));
    addEventListener('online', done);
  });
}

/** A client that connects when something is subscribed and goes on trying for as long as something is. */
export function openSocket(url: string, getToken: GetToken, onConnection: (state: Connection) => void): Client {
  let wasConnected = false;
  let overdue: ReturnType<typeof setTimeout> | undefined;
  let proof: Record<string, string> = {};
  let stopRenewing = () => {};
  const client = createClient({
    url,
    connectionParams: async () => (proof = await credentials(getToken)), // at every attempt, so each has a fresh token
    retryAttempts: Infinity,
    retryWait: pause,
    shouldRetry: () => true,
    connectionAckWaitTimeout: ACCEPTED_WITHIN_MS,
    keepAlive: PING_EVERY_MS,
    on: {
      connecting: (isRetry) => onConnection(isRetry || wasConnected ? 'lost' : 'connecting'),
      connected: (socket) => {
        wasConnected = true;
        stopRenewing = keepRenewed(socket as WebSocket, proof, getToken);
        onConnection('live');
      },
      ping: (isFromServer) => {
        if (!isFromServer) overdue = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
      },
      pong: () => clearTimeout(overdue),
      closed: () => {
        clearTimeout(overdue);
        stopRenewing();
        onConnection('lost');
      },
    },
  });
  return client;
}

export interface Listener<Data> {
  next: (data: Data) => void;
  /** Whether the subscription is wanted although the server has just ended it, such as at its shutdown. */
  isWanted: () => boolean;
  /** It has ended for good, and this is why, in words for people. */
  refused: (reason: string) => void;
}

/**
 * Subscribes, and again whenever that ends before its time. `variables` are read anew each time the server is asked,
 * also after a reconnect, so a getter among them works as a cursor. Returns what stops it.
 */
export function keepSubscribed<Data, Variables extends Record<string, unknown>>(
  client: Client,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  listener: Listener<Data>,
): () => void {
  let isStopped = false;
  let failures = 0;
  let stop = () => {};

  const isNeeded = () => !isStopped && listener.isWanted();
  const again = () => {
    if (isNeeded()) void pause(failures++).then(() => isNeeded() && subscribe());
  };
  const subscribe = () => {
    stop = client.subscribe<Data>(
      { query: document.toString(), variables },
      {
        next: ({ data }) => {
          failures = 0;
          if (data && !isStopped) listener.next(data);
        },
        error: (problem) => {
          const reason = finalReason(problem);
          if (isStopped) return;
          if (reason === null) again();
          else listener.refused(reason);
        },
        complete: again,
      },
    );
  };
  subscribe();
  return () => {
    isStopped = true;
    stop();
  };
}

/** Why asking again would be answered the same; null when it may help. */
function finalReason(problem: unknown): string | null {
  if (Array.isArray(problem)) {
    const errors = problem as { message: string; extensions?: { code?: unknown } }[];
    const isPassing = errors.some(({ extensions }) => ['INTERNAL', 'RATE_LIMITED'].includes(String(extensions?.code)));
    return isPassing ? null : errors.map(({ message }) => message).join(' ');
  }
  const { code, reason } = (problem ?? {}) as Partial<CloseEvent>;
  const isFinal = code === CloseCode.Unauthorized || code === CloseCode.SubprotocolNotAcceptable;
  return isFinal ? `${reason || 'The server refused the connection.'} Sign in again, then start or refresh.` : null;
}
