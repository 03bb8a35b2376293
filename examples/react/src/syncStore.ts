// What a page knows about an organization's sync, kept up to date for as long as a page listens. It knows nothing of
// React but fits its useSyncExternalStore; useSync.ts is the hook around it.

import { endpointOf } from './address';
import {
  CancelSyncDocument,
  DashboardNowDocument,
  DashboardUpdatedDocument,
  type Operation,
  type OverviewFragment,
  StartSyncDocument,
  type StartSyncMutationVariables,
  type SyncFragment,
  SyncLogDocument,
  type SyncLogSubscription,
} from './gql/graphql';
import { type GetToken, NotReached, request } from './requests';
import { type ConnectionState, Socket } from './socket';

export type Sync = SyncFragment;
export type Overview = OverviewFragment;
export type LogLine = SyncLogSubscription['syncLog'];

/** All of one moment. A new object whenever something has changed. */
export interface SyncView extends ConnectionState {
  /** The organization's figures; null until the server has answered. */
  overview: Overview | null;
  /** The running sync, or the newest one that has ended; null if there is none, or none is known yet. */
  sync: Sync | null;
  /** The log of `sync`: every line once, in order. */
  log: readonly LogLine[];
  /** What was asked for and is not answered yet. */
  pending: 'start' | 'cancel' | 'refresh' | null;
  /** What went wrong last, in words for people. */
  error: string | null;
}

/** What is shown before the server has answered, also where a server renders the page. */
export const NOTHING_YET: SyncView = {
  connection: 'connecting',
  problem: null,
  retryAt: null,
  overview: null,
  sync: null,
  log: [],
  pending: null,
  error: null,
};

export class SyncStore {
  private view = NOTHING_YET;
  private readonly listeners = new Set<() => void>();
  private readonly organizationId: string;
  private readonly apiBaseUrl: string;
  private readonly graphqlUrl: string | undefined;
  private readonly getToken: GetToken;
  private socket: Socket | null = null;
  private turn: ReturnType<typeof setTimeout> | undefined;
  private stopDashboard = () => {};
  private stopLog = () => {};
  private lastLine = 0;
  /** Whether the error is out of date once the server answers. */
  private isErrorPassing = false;

  constructor(organizationId: string, apiBaseUrl: string, graphqlUrl: string | undefined, getToken: GetToken) {
    this.organizationId = organizationId;
    this.apiBaseUrl = apiBaseUrl;
    this.graphqlUrl = graphqlUrl;
    this.getToken = getToken;
  }

  readonly getView = (): SyncView => this.view;

  /** Connects for the first listener, and closes after the last one has left. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.openOrCloseSoon();
    return () => {
      this.listeners.delete(listener);
      this.openOrCloseSoon();
    };
  };

  /** Starts a sync that reads what changed; if a sync runs already, that sync is shown. */
  readonly start = (): Promise<void> => this.startIn('AUTO');

  /** Starts a sync that reads everything; if a sync runs already, that sync is shown. */
  readonly startFull = (): Promise<void> => this.startIn('FULL');

  private readonly startIn = (mode: StartSyncMutationVariables['mode']): Promise<void> =>
    this.attempt('start', async () => {
      this.reopenIfRefused();
      const variables = { organizationId: this.organizationId, mode };
      const { startSync } = await this.request(StartSyncDocument, variables);
      this.take(startSync.sync);
    });

  /** Ends the running sync; the answer is its final state. */
  readonly cancel = (): Promise<void> =>
    this.attempt('cancel', async () => {
      const { sync } = this.view;
      if (!sync || sync.completedAt) return;
      const variables = { syncId: sync.syncId };
      const { cancelSync } = await this.request(CancelSyncDocument, variables);
      this.take(cancelSync.sync);
    });

  /** Asks for everything once more. Not needed while the connection is live. */
  readonly refresh = (): Promise<void> =>
    this.attempt('refresh', async () => {
      this.reopenIfRefused();
      const variables = { organizationId: this.organizationId };
      const { dashboard } = await this.request(DashboardNowDocument, variables);
      this.takeOverview(dashboard);
      this.socket?.retryNow();
    });

  /** Forgets the log lines so far; later ones are added again. */
  readonly clearLog = (): void => this.change({ log: [] });

  private async request<Data, Variables>(document: Operation<Data, Variables>, variables: Variables): Promise<Data> {
    return request(endpointOf(this.apiBaseUrl, this.graphqlUrl), this.getToken, document, variables);
  }

  private change(part: Partial<SyncView>): void {
    this.view = { ...this.view, ...part };
    for (const listener of this.listeners) listener();
  }

  private async attempt(pending: SyncView['pending'], action: () => Promise<void>): Promise<void> {
    if (this.view.pending) return;
    this.change({ pending, error: null });
    try {
      await action();
    } catch (problem) {
      this.isErrorPassing = problem instanceof NotReached;
      this.change({ error: problem instanceof Error ? problem.message : String(problem) });
    } finally {
      this.change({ pending: null });
    }
  }

  /** Waits for the end of this turn: React's StrictMode mounts, unmounts and mounts again within one. */
  private openOrCloseSoon(): void {
    clearTimeout(this.turn);
    this.turn = setTimeout(() => {
      if (this.listeners.size > 0 && !this.socket) this.open();
      if (this.listeners.size === 0) this.close();
    });
  }

  private open(): void {
    let endpoint: string;
    try {
      endpoint = endpointOf(this.apiBaseUrl, this.graphqlUrl);
    } catch (problem) {
      this.refuse((problem as Error).message);
      return;
    }
    const socket = new Socket(endpoint, this.getToken, (state) => {
      if (this.socket !== socket || this.view.connection === 'refused') return;
      this.change(state);
      if (state.connection === 'live') this.forgetPassingError();
    });
    this.socket = socket;
    this.stopDashboard = socket.keepSubscribed(
      DashboardUpdatedDocument,
      { organizationId: this.organizationId },
      {
        next: ({ dashboardUpdated }) => {
          this.forgetPassingError();
          this.takeOverview(dashboardUpdated);
        },
        isWanted: () => true,
        refused: this.refuse,
      },
    );
    if (this.view.sync) this.followLog(this.view.sync.syncId); // seen before the store was closed
  }

  private close(): void {
    const { socket } = this;
    this.socket = null;
    this.stopDashboard();
    this.stopLog();
    socket?.close();
    this.change({ connection: 'connecting', problem: null, retryAt: null });
  }

  private forgetPassingError(): void {
    if (this.isErrorPassing && this.view.error !== null) this.change({ error: null });
  }

  private reopenIfRefused(): void {
    if (this.view.connection !== 'refused') return;
    this.close();
    this.openOrCloseSoon();
  }

  private readonly refuse = (error: string): void => {
    this.isErrorPassing = false;
    this.change({ connection: 'refused', error, problem: null, retryAt: null });
  };

  private takeOverview(overview: Overview): void {
    const sync = overview.currentSync ?? overview.lastSync;
    if (isOutdated(sync, this.view.sync)) return;
    this.change({ overview });
    if (sync) this.take(sync);
  }

  private take(sync: Sync): void {
    const shown = this.view.sync;
    if (isOutdated(sync, shown)) return;
    if (shown?.syncId === sync.syncId) {
      this.change({ sync });
      return;
    }
    this.lastLine = 0;
    this.change({ sync, log: [] });
    this.followLog(sync.syncId);
  }

  /** Follows a sync's log to its end, from behind the last line that is known. */
  private followLog(syncId: string): void {
    this.stopLog();
    if (!this.socket) return;
    const store = this;
    const variables = {
      syncId,
      get after() {
        return store.lastLine;
      },
    };
    this.stopLog = this.socket.keepSubscribed(SyncLogDocument, variables, {
      next: ({ syncLog }) => {
        if (syncLog.seq <= this.lastLine) return;
        this.lastLine = syncLog.seq;
        this.change({ log: [...this.view.log, syncLog] });
      },
      isWanted: () => !this.view.sync?.completedAt,
      refused: (error) => this.change({ error }),
    });
  }
}

/** Whether what is `shown` is a newer state of the same sync, or a newer sync: answers may overtake each other. */
function isOutdated(sync: Sync | null | undefined, shown: Sync | null): boolean {
  if (!sync || !shown) return false;
  return sync.syncId === shown.syncId ? sync.version < shown.version : sync.startedAt < shown.startedAt;
}
