// One sync, past or running, with its whole log. The log comes in one answer; while the sync runs, its newer states and
// lines come from the connection that the page has anyway.

import { Missing, Unreachable, sentenceOf } from './errors';
import { lineFromRest } from './fromRest';
import { ReadSyncDocument } from './gql/graphql';
import { GrowingLog } from './logIndex';
import { callAll } from './listeners';
import { type Requests, readJson } from './requests';
import { type LogLine, type Sync, type SyncDetail, type SyncDetailView, type SyncView, isOver } from './types';

const LOG_READ_WITHIN_MS = 120_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5000;

export const GONE = 'There is no such sync (any more). It may have been removed, or belong to another organization.';

/** What the page's connection brings. */
export interface LiveSource {
  /** Whose syncs the page shows; one of another organization is missing here. */
  organizationId: string;
  /** Keeps the connection for as long as the listener stays. */
  subscribe: (listener: () => void) => () => void;
  /** What the page shows: the newest sync, and whether the connection is live. */
  view: () => SyncView;
  /** The newest lines of its log. */
  lines: () => readonly LogLine[];
}

export class SyncDetailStore implements SyncDetail {
  readonly syncId: string;
  readonly #requests: () => Requests;
  readonly #live: LiveSource;
  readonly #log = new GrowingLog();
  readonly #listeners = new Set<() => void>();
  #view: SyncDetailView;
  #reading: AbortController | null = null;
  #turn: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #wasLive = false;
  #leave: (() => void) | null = null;

  constructor(syncId: string, requests: () => Requests, live: LiveSource) {
    this.syncId = syncId;
    this.#requests = requests;
    this.#live = live;
    this.#view = { phase: 'loading', problem: null, sync: null, log: this.#log, isLogComplete: false };
  }

  /** The view of this moment: the same object until something changes. `log` stays the same object; see its `version`. */
  readonly getView = (): SyncDetailView => this.#view;

  /** Reads the sync for the first listener, and stops following after the last one has left. */
  readonly subscribe = (listener: () => void): (() => void) => {
    const own = () => listener();
    this.#listeners.add(own);
    this.#beginOrEndSoon();
    return () => {
      this.#listeners.delete(own);
      this.#beginOrEndSoon();
    };
  };

  /** Asks again after a failure. */
  readonly retry = (): void => {
    if (!this.#leave || this.#reading) return;
    if (this.#view.phase !== 'ready') this.#change({ phase: 'loading', problem: null });
    void this.#read();
  };

  /** The whole log as a file, fetched with the person's own token. Throws an Error whose message is for people. */
  readonly download = async (format: 'text' | 'json'): Promise<Blob> => {
    const path = `${this.#path}?format=${format}&download=1`;
    const response = await this.#requests().get(path, {}, { milliseconds: LOG_READ_WITHIN_MS });
    return response.blob();
  };

  get #path(): string {
    return `/log/${encodeURIComponent(this.syncId)}`;
  }

  #beginOrEndSoon(): void {
    clearTimeout(this.#turn);
    this.#turn = setTimeout(() => {
      if (this.#listeners.size > 0 && !this.#leave) {
        this.#leave = this.#live.subscribe(() => this.#takeLive());
        this.#takeLive();
        if (this.#view.phase !== 'missing' && !this.#isFinished) void this.#read();
      }
      if (this.#listeners.size === 0) {
        this.#leave?.();
        this.#leave = null;
        this.#reading?.abort();
        this.#reading = null;
        clearTimeout(this.#retryTimer);
      }
    });
  }

  get #isFinished(): boolean {
    return this.#view.isLogComplete && this.#view.sync !== null && isOver(this.#view.sync);
  }

  /** Reads the sync and what is missing of its log. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    clearTimeout(this.#retryTimer);
    const { signal } = (this.#reading = new AbortController());
    try {
      const requests = this.#requests();
      // After the state, the log of a sync that has ended is whole. If it ended long ago, both are asked for at once.
      const early = this.#isPast() ? this.#readLines(requests, signal) : null;
      early?.catch(() => undefined); // the state may fail first
      const { syncStatus } = await requests.ask(ReadSyncDocument, { syncId: this.syncId }, { signal });
      if (syncStatus?.organizationId !== this.#live.organizationId) throw new Missing(GONE);
      const lines = await (early ?? this.#readLines(requests, signal));
      if (signal.aborted) return;
      this.#reading = null;
      this.#failures = 0;
      this.#log.add(lines);
      this.#change({ phase: 'ready', problem: null, sync: newer(this.#view.sync, syncStatus), isLogComplete: true });
      this.#takeLive();
    } catch (error) {
      if (signal.aborted) return;
      this.#reading = null;
      this.#fail(error);
    }
  }

  /** Whether the page has seen the end of this sync already. */
  #isPast(): boolean {
    const { sync, history } = this.#live.view();
    return [this.#view.sync, sync, ...(history?.syncs ?? [])].some((one) => one?.syncId === this.syncId && isOver(one));
  }

  async #readLines(requests: Requests, signal: AbortSignal): Promise<LogLine[]> {
    const response = await requests.get(`${this.#path}?after=${this.#log.lastSeq}`, {}, { signal, milliseconds: LOG_READ_WITHIN_MS });
    const { lines } = await readJson<{ lines: unknown[] }>(response);
    return lines.map(lineFromRest);
  }

  #fail(error: unknown): void {
    if (error instanceof Missing) {
      this.#change({ phase: 'missing', problem: GONE });
      return;
    }
    this.#change({ phase: this.#view.phase === 'ready' ? 'ready' : 'failed', problem: sentenceOf(error) });
    if (!(error instanceof Unreachable)) return;
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    this.#retryTimer = setTimeout(() => this.retry(), wait);
  }

  /** Asks again once the connection works again, such as with another token. */
  #retryWhenLive(): void {
    const isLive = this.#live.view().connection === 'live';
    const isBack = isLive && !this.#wasLive;
    this.#wasLive = isLive;
    if (isBack && this.#view.problem !== null && this.#view.phase !== 'missing') this.retry();
  }

  /** Takes what the page's connection knows of this sync. */
  #takeLive(): void {
    this.#retryWhenLive();
    const { sync: known, phase } = this.#view;
    const newest = this.#live.view().sync;
    if (newest?.syncId === this.syncId) {
      const sync = newer(known, newest);
      const hasEnded = isOver(sync) && !(known && isOver(known));
      const lines = this.#live.lines();
      const isJoined = lines.length === 0 || lines[0]!.seq <= this.#log.lastSeq + 1;
      const isLonger = phase === 'ready' && isJoined && this.#log.add(lines);
      if (sync !== known || isLonger) this.#change({ sync });
      // The last lines may come after the end, and more may have been missed than the connection remembers.
      if (phase === 'ready' && (hasEnded || !isJoined)) {
        this.#change({ isLogComplete: false });
        void this.#read();
      }
    } else if (known && !isOver(known) && newest && newest.startedAt >= known.startedAt && phase === 'ready') {
      this.#change({ isLogComplete: false });
      void this.#read(); // a newer one has replaced it while the connection was away
    }
  }

  #change(part: Partial<SyncDetailView>): void {
    this.#view = { ...this.#view, ...part };
    callAll(this.#listeners);
  }
}

function newer(known: Sync | null, other: Sync): Sync {
  return known && known.version >= other.version ? known : other;
}
