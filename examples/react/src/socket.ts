// One websocket that outlives restarts of the server, sleeping laptops and tokens, and subscriptions that outlive it.

import { type Client, CloseCode, createClient } from 'graphql-ws';

import { socketUrlOf } from './address';
import { diagnose, noSocketProblem, watchPolicy } from './diagnosis';
import type { Operation } from './gql/graphql';
import { keepRenewed } from './renewal';
import { type GetToken, credentials } from './requests';

/**
 * How the connection to the server is. `connecting`: for the first time. `live`. `lost`: it was live. `unreachable`: nothing
 * has answered so far. `blocked`: a server answers but not as this page needs it, for example because it doesn't allow the
 * page's origin. All these are tried again; `refused`, such as a token that is not accepted, is not.
 */
export type Connection = 'connecting' | 'live' | 'lost' | 'unreachable' | 'blocked' | 'refused';

export interface ConnectionState {
  connection: Connection;
  /** What is wrong with the connection and what to do, for people; null while nothing is. */
  problem: string | null;
  /** When the next attempt starts, in milliseconds since 1970; null during an attempt. */
  retryAt: number | null;
}

const LOST = 'Connection to the server lost.';

const ACCEPTED_WITHIN_MS = 15_000;
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000; // a connection without any sign of life for longer than this is given up
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const CLOSED_WITHIN_MS = 200; // after an error; usually at once
const TERMINATED = 4499; // graphql-ws's own code for its terminate()

export interface Listener<Data> {
  next: (data: Data) => void;
  /** Whether the subscription is wanted although the server has just ended it, such as at its shutdown. */
  isWanted: () => boolean;
  /** It has ended for good, and this is why, in words for people. */
  refused: (reason: string) => void;
}

/** Connects when something is subscribed and tries again for as long as something is. */
export class Socket {
  private readonly endpoint: string;
  private readonly getToken: GetToken;
  private readonly report: (state: Partial<ConnectionState>) => void;
  private readonly client: Client;
  private isLive = false;
  private hasBeenLive = false;
  /** Failed attempts since then. */
  private failures = 0;
  /** Whether the server answered requests after the last failed attempt. */
  private answersRequests = false;
  private endPauses = new Set<() => void>();

  constructor(endpoint: string, getToken: GetToken, report: (state: Partial<ConnectionState>) => void) {
    this.endpoint = endpoint;
    this.getToken = getToken;
    this.report = report;
    this.client = this.createClient();
  }

  close(): void {
    // Rejects when it interrupts an attempt to connect, which is all right.
    Promise.resolve(this.client.dispose()).catch(() => {});
  }

  /** Ends the wait before the next attempt. */
  readonly retryNow = (): void => {
    for (const end of this.endPauses) end();
  };

  /**
   * Subscribes, and again whenever that ends before its time. `variables` are read anew each time the server is asked,
   * also after a reconnect, so a getter among them works as a cursor. Returns what stops it.
   */
  keepSubscribed<Data, Variables extends Record<string, unknown>>(
    document: Operation<Data, Variables>,
    variables: Variables,
    listener: Listener<Data>,
  ): () => void {
    let isStopped = false;
    let failures = 0;
    let stop = () => {};

    const isNeeded = () => !isStopped && listener.isWanted();
    const again = () => {
      if (isNeeded()) void this.pause(failures++).then(() => isNeeded() && subscribe());
    };
    const subscribe = () => {
      stop = this.client.subscribe<Data>(
        { query: document, variables },
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

  private createClient(): Client {
    let unclosed: ReturnType<typeof setTimeout> | undefined;
    let overdue: ReturnType<typeof setTimeout> | undefined;
    let proof: Record<string, string> = {};
    let stopRenewing = () => {};
    watchPolicy();
    const client = createClient({
      url: socketUrlOf(this.endpoint),
      // At every attempt, so each has a fresh token.
      connectionParams: async () => (proof = await credentials(this.getToken)),
      retryAttempts: Infinity,
      retryWait: (retries) => this.pause(retries),
      shouldRetry: () => true,
      connectionAckWaitTimeout: ACCEPTED_WITHIN_MS,
      keepAlive: PING_EVERY_MS,
      on: {
        connecting: () => this.report({ retryAt: null }),
        connected: (socket) => {
          stopRenewing = keepRenewed(socket as WebSocket, proof, this.getToken);
          this.isLive = this.hasBeenLive = true;
          this.answersRequests = false;
          this.failures = 0;
          this.report({ connection: 'live', problem: null, retryAt: null });
        },
        ping: (isFromServer) => {
          if (!isFromServer) overdue = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
        },
        pong: () => clearTimeout(overdue),
        error: () => {
          // A socket that the page's Content-Security-Policy forbids is never closed.
          clearTimeout(unclosed);
          if (!this.isLive) unclosed = setTimeout(() => void this.noteEnd({}), CLOSED_WITHIN_MS);
        },
        closed: (event) => {
          clearTimeout(unclosed);
          clearTimeout(overdue);
          stopRenewing();
          void this.noteEnd(event as CloseEvent);
        },
      },
    });
    return client;
  }

  /** Reports why the connection has ended, or why there was none. */
  private async noteEnd({ code, reason }: Partial<CloseEvent>): Promise<void> {
    const wasLive = this.isLive;
    this.isLive = false;
    const failure = ++this.failures;
    if (isFinal(code)) return; // the subscriptions report it
    if (reason && saysWhy(code)) {
      this.report({ connection: 'blocked', problem: reason });
      return;
    }
    if (wasLive) {
      this.report({ connection: 'lost', problem: LOST });
      return;
    }
    const found = await diagnose(this.endpoint);
    if (this.isLive || failure !== this.failures) return;
    if (found?.connection === 'unreachable' && this.hasBeenLive) {
      this.report({ connection: 'lost', problem: LOST });
    } else if (found) {
      this.report(found);
    } else if (this.answersRequests) {
      this.report({ connection: 'blocked', problem: noSocketProblem(this.endpoint) });
    } else {
      this.retryNow(); // the server has come up after the attempt
    }
    this.answersRequests = found === null;
  }

  /** Waits longer after each failure, and not at all once the browser is online again. A little chance spreads crowds. */
  private pause(retries: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        removeEventListener('online', done);
        this.endPauses.delete(done);
        resolve();
      };
      const wait = Math.min(FIRST_WAIT_MS * 2 ** retries, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
      const timer = setTimeout(done, wait);
      addEventListener('online', done);
      this.endPauses.add(done);
      if (!this.isLive) this.report({ retryAt: Date.now() + wait });
    });
  }
}

/** Whether closing with `code` means that another attempt would end the same. */
function isFinal(code: number | undefined): boolean {
  return code === CloseCode.Unauthorized || code === CloseCode.SubprotocolNotAcceptable;
}

/** Whether the reason beside `code` is a sentence for people: of the server, or of `credentials`. */
function saysWhy(code: number | undefined): boolean {
  if (code === CloseCode.Forbidden || code === TERMINATED) return false; // a token has expired; no sign of life
  return code === 1013 || code === CloseCode.InternalClientError || code === CloseCode.BadRequest;
}

/** Why asking again would be answered the same; null when it may help. */
function finalReason(problem: unknown): string | null {
  if (Array.isArray(problem)) {
    const errors = problem as { message: string; extensions?: { code?: unknown } }[];
    const isPassing = errors.some(({ extensions }) => ['INTERNAL', 'RATE_LIMITED'].includes(String(extensions?.code)));
    return isPassing ? null : errors.map(({ message }) => message).join(' ');
  }
  const { code, reason } = (problem ?? {}) as Partial<CloseEvent>;
  return isFinal(code) ? `${reason || 'The server refused the connection.'} Sign in again, then start or refresh.` : null;
}
