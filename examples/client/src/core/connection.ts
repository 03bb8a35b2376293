// The connection of one tab: the best transport that gets through, for as long as it is wanted. It tries again with growing
// pauses, falls back to the next transport where one is blocked, and climbs back when a better one gets through again.

import type { Place } from './address';
import { diagnose, noTransportText } from './diagnosis';
import { Blocked, Denied, NoToken, Refused, sentenceOf } from './errors';
import { ReadOverviewDocument } from './gql/graphql';
import type { Knowledge } from './knowledge';
import type { Requests } from './requests';
import { byEventStream } from './transports/eventStream';
import { byPolling } from './transports/polling';
import { type Follow, type Route, SHORT_LIVED_MS } from './transports/transport';
import { byWebsocket } from './transports/websocket';
import { getsThrough } from './transports/probe';
import type { ConnectionView, Transport } from './types';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5000;
const LONGEST_REFUSED_RETRY_MS = 30_000;
const CLIMB_MS = 60_000; // how often something better than the transport in use is tried

const LOST = 'Connection to the server lost.';
const WITHOUT_TOKEN = 'The token says who you are and which organization is yours.';
const NONE_GIVEN = 'The page that you signed in to gave no token. Sign in, and try again.';

const FOLLOW: Record<Transport, Follow> = { websocket: byWebsocket, stream: byEventStream, polling: byPolling };

export class Connection {
  readonly #requests: Requests;
  readonly #transports: readonly Transport[];
  readonly #report: (state: ConnectionView) => void;
  readonly #route: Route;
  readonly #pauses = new Set<() => void>();
  #level = 0;
  #running: AbortController | null = null;
  #attempt: AbortController | null = null;
  #state: ConnectionView;
  #hasBeenLive = false;
  /** Whether it does not try again by itself. */
  hasGivenUp = false;

  constructor(
    organizationId: string,
    requests: Requests,
    knowledge: Knowledge,
    transports: readonly Transport[],
    heard: () => void,
    report: (state: ConnectionView) => void,
  ) {
    this.#requests = requests;
    this.#transports = transports;
    this.#report = report;
    this.#state = { connection: 'connecting', transport: null, problem: null, retryAt: null, needsToken: null };
    this.#route = { organizationId, requests, knowledge, heard, pause: this.#pause, followLog: () => {}, unreadSyncId: null };
  }

  get isOpen(): boolean {
    return this.#running !== null;
  }

  /** Connects, and keeps connected until `close`. After `before`, such as that of another tab, views see no interruption. */
  open(before: ConnectionView | null = null): void {
    if (this.#running) return;
    this.#running = new AbortController();
    this.hasGivenUp = false;
    const isTakeover = before !== null && ['live', 'paused', 'lost'].includes(before.connection);
    this.#hasBeenLive ||= isTakeover;
    if (isTakeover) this.#state = before;
    else this.#change({ connection: 'connecting', transport: null, problem: null });
    void this.#keep(this.#running.signal);
  }

  close(): void {
    this.#running?.abort();
    this.#running = null;
  }

  /** Has the log of another sync followed. */
  syncReplaced(): void {
    this.#route.unreadSyncId = this.#route.knowledge.sync?.syncId ?? null;
    this.#route.followLog();
  }

  /**
   * Ends waits early: something was started, or the browser is back online. After a refusal it connects anew, though not by
   * itself (`isAsked` false) with a token that was refused.
   */
  wake(isAsked = true): void {
    if (this.#running && this.hasGivenUp && (isAsked || this.#requests.tokens.canFetch)) {
      this.close();
      this.open();
    }
    for (const end of this.#pauses) end();
  }

  /** On a lower transport: sees whether a better one gets through again, and changes to it. */
  async climb(): Promise<void> {
    const signal = this.#running?.signal;
    if (!signal || this.#level === 0 || this.#state.connection !== 'live') return;
    if (!(await getsThrough(this.#transports[0]!, this.#requests)) || signal.aborted) return;
    this.#level = 0;
    this.#attempt?.abort();
  }

  #change(part: Partial<ConnectionView>): void {
    this.#state = { ...this.#state, retryAt: null, ...part };
    this.#report(this.#state);
  }

  readonly #pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#pauses.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done);
      this.#pauses.add(done);
      if (signal.aborted) done();
    });

  async #keep(signal: AbortSignal): Promise<void> {
    const climber = setInterval(() => void this.climb(), CLIMB_MS);
    const tries = new Tries();
    for (;;) {
      const { failure, openedAt } = await this.#follow(signal);
      if (signal.aborted) break;
      if (failure === null) {
        tries.reset(); // another transport takes over, or another token
        continue;
      }
      if (openedAt && Date.now() - openedAt > SHORT_LIVED_MS) tries.reset();
      if (!(await this.#isRetryAfter(failure, openedAt > 0, tries, signal))) break;
    }
    clearInterval(climber);
  }

  async #follow(signal: AbortSignal): Promise<{ failure: unknown; openedAt: number }> {
    const attempt = (this.#attempt = new AbortController());
    const stop = () => attempt.abort();
    signal.addEventListener('abort', stop, { once: true });
    const transport = this.#transports[this.#level] ?? 'polling';
    let openedAt = 0;
    let failure: unknown = null;
    if (this.#state.retryAt !== null) this.#change({});
    try {
      await FOLLOW[transport](this.#route, attempt.signal, () => {
        if (openedAt || attempt.signal.aborted) return;
        openedAt = Date.now();
        this.#hasBeenLive = true;
        this.#change({ connection: 'live', transport, problem: null, needsToken: null });
      });
    } catch (error) {
      failure = attempt.signal.aborted ? null : error;
    }
    attempt.abort();
    signal.removeEventListener('abort', stop);
    return { failure, openedAt };
  }

  /** Decides what follows a failed attempt, waits, and returns whether there is another one. */
  async #isRetryAfter(failed: unknown, wasOpen: boolean, tries: Tries, signal: AbortSignal): Promise<boolean> {
    let failure = failed;
    let isReached = false;
    if (!wasOpen || failure instanceof Blocked) {
      // Is it this transport that does not get through, or the server that does not answer?
      const answer = failure instanceof Refused || failure instanceof NoToken ? failure : await this.#reach(signal);
      if (signal.aborted) return false;
      if (answer === true) {
        isReached = true;
        tries.blocked += failure instanceof Blocked ? 2 : 1;
        if (tries.blocked === 1) return true; // once more, as the server may just have come back
        if (this.#level < this.#transports.length - 1) {
          this.#level += 1;
          tries.reset();
          return true;
        }
      } else {
        failure = answer;
      }
    }
    if (failure instanceof Denied) {
      const { tokens } = this.#requests;
      tokens.refuse();
      if (!failure.mayBeMended || !tokens.canFetch) return this.#giveUp(failure);
      if (tries.denied++ === 0) return true; // at once, with a fresh token
    } else if (failure instanceof Refused && !failure.isPassing && !isReached) {
      return this.#giveUp(failure);
    }
    const wait = tries.wait();
    await this.#say(failure, isReached, signal);
    if (signal.aborted) return false;
    this.#change({ retryAt: Date.now() + wait });
    await this.#pause(wait, signal);
    return true;
  }

  /** Whether the server answers plain requests; else why not. What it says is taken along. */
  async #reach(signal: AbortSignal): Promise<unknown> {
    try {
      const { organizationId } = this.#route;
      const { dashboard } = await this.#requests.ask(ReadOverviewDocument, { organizationId }, { signal });
      this.#route.heard();
      this.#route.knowledge.noteOverview(dashboard);
      return true;
    } catch (error) {
      return error;
    }
  }

  /** Reports why there is no connection, as precisely as can be found out. */
  async #say(failure: unknown, isReached: boolean, signal: AbortSignal): Promise<void> {
    const { place } = this.#requests;
    const problem = sentenceOf(failure);
    if (failure instanceof Denied || failure instanceof NoToken) {
      this.#change({ connection: 'refused', transport: null, problem });
      return;
    }
    if (failure instanceof Refused) {
      this.#change({ connection: 'blocked', transport: null, problem });
      return;
    }
    if (isReached) {
      const transport = this.#transports[this.#level] ?? 'polling';
      this.#change({ connection: 'blocked', transport: null, problem: noTransportText(place, transport) });
      return;
    }
    if (this.#hasBeenLive) this.#change({ connection: 'lost', transport: null, problem: LOST });
    const found = await diagnosisOf(place);
    if (signal.aborted) return;
    if (found?.connection === 'blocked') this.#change({ ...found, transport: null });
    else if (!this.#hasBeenLive) this.#change({ connection: 'unreachable', transport: null, problem: found?.problem ?? problem });
  }

  /** Trying again with the same token would end the same. Another token or a person's click begins anew. */
  #giveUp(failure: Refused): false {
    const { tokens } = this.#requests;
    const why = tokens.hadToken ? failure.message : tokens.canFetch ? NONE_GIVEN : WITHOUT_TOKEN;
    const needsToken = failure instanceof Denied ? why : null;
    this.hasGivenUp = true;
    this.#change({ connection: 'refused', transport: null, problem: needsToken ?? failure.message, needsToken });
    return false;
  }
}

const diagnosisOf = (place: Place) => diagnose(place).catch(() => null);

/** What was tried in vain since the connection last worked. */
class Tries {
  failed = 0;
  blocked = 0;
  denied = 0;

  reset(): void {
    this.failed = this.blocked = this.denied = 0;
  }

  /** How long to wait now: longer after each failure. A little chance spreads crowds. */
  wait(): number {
    const longest = Math.min(this.denied ? LONGEST_REFUSED_RETRY_MS : LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.failed++);
    return longest * (0.5 + Math.random() / 2);
  }
}
