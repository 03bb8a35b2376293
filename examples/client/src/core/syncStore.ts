// What a page knows about an organization's syncs, kept up to date for as long as a page listens, and what its reader may do
// about them. It knows no framework, but fits React's useSyncExternalStore.

import { Actions } from './actions';
import { placeOf } from './address';
import { Missing } from './errors';
import { CancelSyncDocument, ConnectClinikoDocument, ReadOverviewDocument, ReadSyncDocument, StartSyncDocument } from './gql/graphql';
import { History } from './history';
import { Knowledge } from './knowledge';
import { callAll } from './listeners';
import { Requests } from './requests';
import { SharedConnection } from './sharedConnection';
import { SyncDetailStore } from './syncDetailStore';
import { type TabEnvironment, browserTab } from './tabs/environment';
import { Tokens } from './tokens';
import {
  type Client,
  type ClientOptions,
  type ConnectResult,
  type ConnectionView,
  ENDINGS,
  NOTHING_YET,
  type StartMode,
  type Sync,
  type SyncEnding,
  type SyncView,
  TRANSPORTS,
  isOver,
} from './types';

const KEY_CHECKED_WITHIN_MS = 120_000; // which takes a few requests to Cliniko

const NOT_CONNECTED: ConnectionView = { connection: 'connecting', transport: null, problem: null, retryAt: null, needsToken: null };

export class SyncStore implements Client {
  readonly #options: ClientOptions;
  readonly #tab: TabEnvironment | null;
  readonly #tokens: Tokens;
  readonly #knowledge: Knowledge;
  readonly #history: History;
  readonly #actions: Actions;
  readonly #listeners = new Set<() => void>();
  readonly #handlers = new Map<SyncEnding, Set<(sync: Sync) => void>>();
  readonly #unseenEnds = new Set<string>();
  #madeRequests: Requests | null = null;
  #connection: SharedConnection | null = null;
  #state = NOT_CONNECTED;
  #liveSince: number | null = null;
  #serverHeardAt = 0;
  #turn: ReturnType<typeof setTimeout> | undefined;
  #view = NOTHING_YET;

  /** `tab` stands in for the browser in tests. */
  constructor(options: ClientOptions, tab: TabEnvironment | null = null) {
    this.#options = options;
    this.#tab = tab;
    this.#tokens = new Tokens(options.getToken);
    this.#actions = new Actions(
      () => ({
        syncId: this.#knowledge.sync?.syncId ?? null,
        cliniko: JSON.stringify(this.#knowledge.overview?.connection),
        liveSince: this.#liveSince,
        serverHeardAt: this.#serverHeardAt,
      }),
      () => this.#change(),
    );
    this.#history = new History(options.organizationId, this.#requests, () => this.#change());
    this.#knowledge = new Knowledge({
      changed: () => this.#change(),
      syncReplaced: () => this.#connection?.syncReplaced(),
      ended: (sync) => this.#emit(sync),
      unseenEnd: (syncId) => {
        this.#unseenEnds.add(syncId);
        void this.#readUnseenEnds();
      },
      newestEnded: (sync) => this.#history.refreshFor(sync),
      forgotten: () => this.#history.forget(),
    });
  }

  /** The view of this moment: the same object until something changes. */
  readonly getView = (): SyncView => this.#view;

  /** Connects for the first listener, and closes after the last one has left. */
  readonly subscribe = (listener: () => void): (() => void) => {
    const own = () => listener(); // the same function may listen twice
    this.#listeners.add(own);
    this.#openOrCloseSoon();
    return () => {
      this.#listeners.delete(own);
      this.#openOrCloseSoon();
    };
  };

  /** Starts a sync: AUTO unless given. If a sync runs already, that sync is shown. */
  readonly start = async (mode: StartMode = 'AUTO'): Promise<void> => {
    await this.#actions.attempt(mode === 'FULL' ? 'startFull' : 'start', this.#requests, async (requests) => {
      const { startSync } = await requests.ask(StartSyncDocument, { organizationId: this.#options.organizationId, mode });
      this.#knowledge.noteSync(startSync.sync);
      this.#connection?.wake();
    });
  };

  /** Ends the running sync; the answer is its final state. */
  readonly cancel = async (): Promise<void> => {
    const { sync } = this.#knowledge;
    if (!sync || isOver(sync)) return;
    await this.#actions.attempt('cancel', this.#requests, async (requests) => {
      const { cancelSync } = await requests.ask(CancelSyncDocument, { syncId: sync.syncId });
      this.#knowledge.noteSync(cancelSync.sync);
      this.#connection?.wake();
    });
  };

  /** Asks for everything once more. Not needed while the connection is live. */
  readonly refresh = async (): Promise<void> => {
    await this.#actions.attempt('refresh', this.#requests, async (requests) => {
      await this.#readOverview(requests);
      this.#connection?.wake();
      if (this.#history.view) await this.#history.load();
    });
  };

  /** Connects the organization to Cliniko, or replaces its key. The result is also in `results`. */
  readonly connectCliniko = async (apiKey: string): Promise<ConnectResult> => {
    const { organizationId } = this.#options;
    const result = await this.#actions.attempt('connect', this.#requests, async (requests) => {
      const limits = { milliseconds: KEY_CHECKED_WITHIN_MS };
      const { connectCliniko: answer } = await requests.ask(ConnectClinikoDocument, { organizationId, apiKey }, limits);
      const { ok, problem } = answer;
      const text = problem ? `${problem.message} ${problem.whatToDo}` : answer.message;
      if (ok) await this.#readOverview(requests);
      this.#actions.set('connect', { isError: !ok, text });
      this.#connection?.wake();
      return { ok, account: answer.connection?.account ?? null, text };
    });
    const failure = this.#actions.results.get('connect')?.text ?? this.#actions.needsToken ?? '';
    return result ?? { ok: false, account: null, text: failure };
  };

  /** Reads the newest past syncs; later ones are added by themselves. */
  readonly loadHistory = async (): Promise<void> => {
    await this.#actions.attempt('history', this.#requests, () => this.#history.load());
  };

  readonly loadMoreHistory = async (): Promise<void> => {
    await this.#actions.attempt('moreHistory', this.#requests, () => this.#history.loadMore());
  };

  /** Hides the log lines so far; later ones are added again. */
  readonly clearLog = (): void => this.#knowledge.clearLog();

  /** Shows hidden lines again. */
  readonly restoreLog = (): void => this.#knowledge.restoreLog();

  /** A token that a person has typed, used in place of `getToken` from now on; null: `getToken` again. Connects anew. */
  readonly setToken = (token: string | null): void => {
    this.#tokens.give(token);
    this.#connection?.reopen();
  };

  /** Ends the wait before the next attempt, also after `refused`. */
  readonly retryNow = (): void => this.#connection?.wake();

  /** Looks whether a better transport gets through again, which happens by itself once a minute. */
  readonly climb = async (): Promise<void> => this.#connection?.climb();

  /** Calls `handler` once for each sync that this page saw running and that has ended so. Returns what stops it. */
  readonly on = (ending: SyncEnding, handler: (sync: Sync) => void): (() => void) => {
    const handlers = this.#handlers.get(ending) ?? new Set();
    this.#handlers.set(ending, handlers);
    handlers.add(handler);
    return () => handlers.delete(handler);
  };

  /** Any sync with its whole log, past or running. Each call makes another store. */
  readonly openSync = (syncId: string): SyncDetailStore =>
    new SyncDetailStore(syncId, this.#requests, {
      organizationId: this.#options.organizationId,
      subscribe: this.subscribe,
      view: this.getView,
      lines: () => this.#knowledge.copy().lines,
    });

  /** What asks the server. Throws `Refused` if its address is none. */
  readonly #requests = (): Requests =>
    (this.#madeRequests ??= new Requests(placeOf(this.#options), this.#tokens, (serverTime) => {
      if (serverTime !== null) this.#knowledge.clock.noteNow(serverTime);
      this.#heard();
    }));

  readonly #heard = (): void => {
    this.#serverHeardAt = Date.now();
    if (this.#actions.results.size > 0) this.#change();
  };

  async #readOverview(requests: Requests): Promise<void> {
    const { organizationId } = this.#options;
    const { dashboard } = await requests.ask(ReadOverviewDocument, { organizationId });
    this.#knowledge.noteOverview(dashboard);
  }

  #change(): void {
    this.#actions.prune();
    const [knowledge, actions, history, state] = [this.#knowledge, this.#actions, this.#history, this.#state];
    this.#view = {
      ...state,
      needsToken: state.needsToken ?? actions.needsToken,
      overview: knowledge.overview,
      sync: knowledge.sync,
      log: knowledge.log,
      clearedLines: knowledge.cleared,
      droppedLines: knowledge.dropped,
      heardAt: knowledge.heardAt,
      asOf: this.#serverHeardAt,
      clockOffset: knowledge.clock.offset,
      history: history.view,
      pending: actions.pending,
      results: actions.results,
    };
    callAll(this.#listeners);
    this.#connection?.publish();
  }

  /** Waits for the end of this turn: React's StrictMode mounts, unmounts and mounts again within one. */
  #openOrCloseSoon(): void {
    clearTimeout(this.#turn);
    this.#turn = setTimeout(() => {
      if (this.#listeners.size > 0 && !this.#connection) this.#open();
      if (this.#listeners.size === 0) this.#close();
    });
  }

  #open(): void {
    const { organizationId, transports = TRANSPORTS, sharesTabs = true } = this.#options;
    let requests: Requests;
    try {
      requests = this.#requests();
    } catch (problem) {
      this.#state = { ...NOT_CONNECTED, connection: 'refused', problem: (problem as Error).message };
      this.#change();
      return;
    }
    const connection: SharedConnection = new SharedConnection({
      organizationId,
      requests,
      knowledge: this.#knowledge,
      transports,
      sharesTabs,
      tab: this.#tab ?? browserTab(),
      heard: this.#heard,
      report: (state) => {
        if (this.#connection === connection) this.#noteState(state);
      },
    });
    this.#connection = connection;
    if (this.#knowledge.sync) connection.syncReplaced(); // seen before the store was closed
    connection.open();
  }

  #close(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#liveSince = null;
    this.#state = NOT_CONNECTED;
    this.#change();
  }

  #noteState(state: ConnectionView): void {
    const wasLive = this.#liveSince !== null;
    this.#state = state;
    if (state.connection !== 'live') this.#liveSince = null;
    else if (!wasLive) {
      this.#liveSince = Date.now();
      this.#serverHeardAt = this.#liveSince;
      this.#actions.needsToken = null;
      void this.#readUnseenEnds();
      this.#history.refreshFor(null);
    }
    this.#change();
  }

  #emit(sync: Sync): void {
    callAll(this.#handlers.get(ENDINGS[sync.status] as SyncEnding) ?? [], sync);
  }

  /** Asks how syncs ended that a newer one has replaced while the connection was away. */
  async #readUnseenEnds(): Promise<void> {
    for (const syncId of this.#unseenEnds) {
      this.#unseenEnds.delete(syncId);
      try {
        const { syncStatus } = await this.#requests().ask(ReadSyncDocument, { syncId });
        if (syncStatus && isOver(syncStatus)) this.#emit(syncStatus);
      } catch (error) {
        if (!(error instanceof Missing)) this.#unseenEnds.add(syncId); // asked again with the next connection
        return;
      }
    }
  }
}
