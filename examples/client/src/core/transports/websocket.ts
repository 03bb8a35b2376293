// One websocket with graphql-ws: the overview for as long as it is open, and the log of the newest sync.

import { createClient } from 'graphql-ws';

import { watchPolicy } from '../diagnosis';
import { Denied, Refused, Unreachable, refusal } from '../errors';
import { WatchLogDocument, type WatchLogSubscription, WatchOverviewDocument, type WatchOverviewSubscription } from '../gql/graphql';
import { type Proof, type Tokens, reuseMs } from '../tokens';
import { isOver } from '../types';
import type { Follow } from './transport';

const ACCEPTED_WITHIN_MS = 8000; // opened, and acknowledged after it has a token
const PING_MS = 10_000;
const LONGEST_SILENCE_MS = 2 * PING_MS; // a websocket that brings nothing for longer is dead
const CLOSED_WITHIN_MS = 200; // after an error; usually at once

// Source: graphql-ws, PROTOCOL.md; IANA's registry for 1013.
const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;
const TRY_AGAIN_LATER = 1013;

const CLOSED = 'The websocket was closed.';

export const byWebsocket: Follow = (route, signal, opened) => {
  const { requests, knowledge, organizationId, heard } = route;
  const { place, tokens } = requests;
  return new Promise<void>((resolve, reject) => {
    let tokenProblem: Error | null = null;
    let proof: Proof = {};
    let stopRenewing = () => {};
    let unclosed: ReturnType<typeof setTimeout> | undefined;
    let socket: WebSocket | undefined;
    const take = (made: WebSocket) => (socket = made);
    let log: { syncId: string; stop: () => void } | null = null;
    let isEnded = false;

    let deadline: ReturnType<typeof setTimeout> | undefined;
    const expect = (milliseconds: number) => {
      clearTimeout(deadline);
      if (!isEnded) deadline = setTimeout(() => end(new Unreachable(CLOSED)), milliseconds);
    };
    const end = (error?: Error) => {
      if (isEnded) return;
      isEnded = true;
      clearTimeout(deadline);
      clearTimeout(unclosed);
      stopRenewing();
      signal.removeEventListener('abort', stop);
      route.followLog = () => {};
      Promise.resolve(client.dispose()).catch(() => {}); // it reports a failed attempt, which is known
      socket?.close(1000);
      if (error) reject(error);
      else resolve();
    };
    const stop = () => end();

    const followLog = () => {
      const { sync } = knowledge;
      if (!sync || log?.syncId === sync.syncId || isEnded) return;
      log?.stop();
      const { syncId } = sync;
      const stopLog = client.subscribe<WatchLogSubscription>(
        { query: WatchLogDocument, variables: { syncId, after: knowledge.seq } },
        {
          next: ({ data }) => {
            if (data && !isEnded) knowledge.noteLine(syncId, data.syncLog);
          },
          error: (problem) => {
            if (Array.isArray(problem) && isPassing(problem as Errors)) again(syncId);
          },
          // A server that shuts down ends it before its time.
          complete: () => {
            if (knowledge.sync && !isOver(knowledge.sync)) again(syncId);
          },
        },
      );
      log = { syncId, stop: stopLog };
    };
    let pauses = 0;
    const again = (syncId: string) => {
      if (isEnded || log?.syncId !== syncId) return;
      void route.pause(Math.min(5000, 500 * 2 ** pauses++), signal).then(() => {
        if (log?.syncId === syncId) log = null;
        followLog();
      });
    };

    watchPolicy();
    const client = createClient({
      url: place.socket,
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocol: string) {
          super(url, protocol);
          take(this); // graphql-ws gives it out only once it is open
        }
      },
      retryAttempts: 0,
      keepAlive: PING_MS,
      connectionParams: async () => {
        clearTimeout(deadline); // a token may take longer
        try {
          proof = await tokens.proof();
        } catch (problem) {
          tokenProblem = problem as Error;
          throw problem;
        }
        expect(ACCEPTED_WITHIN_MS);
        return { ...proof };
      },
      on: {
        connected: (connected) => {
          stopRenewing = keepRenewed(connected as WebSocket, proof, tokens);
        },
        message: () => {
          heard();
          expect(LONGEST_SILENCE_MS);
        },
        // A socket that the page's Content-Security-Policy forbids is never closed.
        error: () => {
          unclosed = setTimeout(() => end(tokenProblem ?? new Unreachable(CLOSED)), CLOSED_WITHIN_MS);
        },
        closed: (event) => end(tokenProblem ?? closingReason(event as CloseEvent)),
      },
    });
    expect(ACCEPTED_WITHIN_MS);
    if (signal.aborted) {
      end();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    client.subscribe<WatchOverviewSubscription>(
      { query: WatchOverviewDocument, variables: { organizationId } },
      {
        next: ({ data, errors }) => {
          if (isEnded) return;
          if (!data) {
            end(reasonOf(errors));
            return;
          }
          opened();
          knowledge.noteOverview(data.dashboardUpdated);
          route.followLog = followLog;
          followLog();
        },
        error: (problem) => {
          if (Array.isArray(problem)) end(reasonOf(problem as Errors));
        },
        complete: () => end(new Unreachable(CLOSED)),
      },
    );
  });
};

type Errors = readonly { message: string; extensions?: { code?: unknown } | undefined }[];

const isPassing = (errors: Errors): boolean => {
  const reason = reasonOf(errors);
  return reason instanceof Unreachable || (reason instanceof Refused && reason.isPassing);
};

function reasonOf(errors: Errors | undefined): Error {
  const [first] = errors ?? [];
  return first ? refusal(first.extensions?.code, first.message) : new Unreachable(CLOSED);
}

function closingReason({ code, reason }: CloseEvent): Error {
  if (code === UNAUTHORIZED) return new Denied(reason || CLOSED, false);
  if (code === FORBIDDEN) return new Denied(reason || CLOSED);
  if (code === TRY_AGAIN_LATER && reason) return new Refused(reason, { isPassing: true });
  if (code >= 4400 && code < 4500) return new Refused(reason || CLOSED, { isPassing: true });
  return new Unreachable(reason || CLOSED);
}

/** Sends fresh tokens in time before the last one ends. graphql-ws sends pings of its own, but they can't carry anything. */
function keepRenewed(socket: WebSocket, opened: Proof, tokens: Tokens): () => void {
  let sent = opened.Authorization;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  const later = () => {
    if (sent && tokens.canFetch && !isStopped) timer = setTimeout(() => void renew(), reuseMs(sent.slice('Bearer '.length)));
  };
  const renew = async () => {
    const { Authorization: fresh } = await tokens.proof().catch((): Proof => ({}));
    if (isStopped) return;
    if (fresh && fresh !== sent) {
      sent = fresh;
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'ping', payload: { Authorization: fresh } }));
    }
    later();
  };
  later();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
