'use client';

// The hook behind SyncDashboard: an organization's syncs, live, for a design of your own. The store that it follows is the
// core's, as for the page and the custom element.

import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';

import {
  type ClientOptions,
  type ConnectResult,
  NOTHING_YET,
  type Sync,
  type SyncEnding,
  SyncStore,
  type SyncView,
  type Transport,
  isOver,
} from '../../client/src/core';

export interface SyncOptions extends ClientOptions {
  /** Called once for each sync that this page saw running and that has completed, failed or was cancelled. */
  onCompleted?: ((sync: Sync) => void) | undefined;
  onFailed?: ((sync: Sync) => void) | undefined;
  onCancelled?: ((sync: Sync) => void) | undefined;
}

export interface SyncActions {
  /** Starts a sync that reads what changed; if a sync runs already, that sync is shown. */
  start: () => Promise<void>;
  /** Starts a sync that reads everything from Cliniko again. */
  startFull: () => Promise<void>;
  /** Ends the running sync. */
  cancel: () => Promise<void>;
  /** Asks for everything once more. Not needed while the connection is live. */
  refresh: () => Promise<void>;
  /** Hides the log lines so far; later ones are added again. */
  clearLog: () => void;
  /** Shows hidden lines again. */
  restoreLog: () => void;
  /** Reads the newest past syncs into `history`, which is kept up to date from then on. */
  loadHistory: () => Promise<void>;
  loadMoreHistory: () => Promise<void>;
  /** Connects the organization to Cliniko, or replaces its key. */
  connectCliniko: (apiKey: string) => Promise<ConnectResult>;
}

export interface SyncState extends SyncView, SyncActions {
  /** The state of `sync`; `IDLE` if there has been none; null until the server has answered. */
  status: Sync['status'] | null;
  isRunning: boolean;
  /** Why the last action failed, in words for people; null once that is not true any more. */
  error: string | null;
}

const getServerView = (): SyncView => NOTHING_YET;

/** Follows the organization's syncs, wherever they were started, while the component is mounted. */
export function useSync(options: SyncOptions): SyncState {
  const { organizationId, apiBaseUrl, graphqlUrl, sharesTabs } = options;
  const transports = options.transports?.join();
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options; // a new function at each render must not mean a new connection
  });
  const store = useMemo(
    () =>
      new SyncStore({
        organizationId,
        apiBaseUrl,
        graphqlUrl,
        sharesTabs,
        transports: transports?.split(',') as Transport[] | undefined,
        getToken: (wanted) => latest.current.getToken?.(wanted),
      }),
    [organizationId, apiBaseUrl, graphqlUrl, sharesTabs, transports],
  );
  useEffect(() => {
    const stop = Object.entries(HANDLERS).map(([ending, handler]) =>
      store.on(ending as SyncEnding, (sync) => latest.current[handler]?.(sync)),
    );
    return () => stop.forEach((leave) => leave());
  }, [store]);
  const actions = useMemo(() => actionsOf(store), [store]);
  const view = useSyncExternalStore(store.subscribe, store.getView, getServerView);
  return {
    ...view,
    ...actions,
    status: view.sync?.status ?? (view.overview ? 'IDLE' : null),
    isRunning: view.sync !== null && !isOver(view.sync),
    error: errorOf(view),
  };
}

const HANDLERS = { completed: 'onCompleted', failed: 'onFailed', cancelled: 'onCancelled' } as const satisfies Record<SyncEnding, string>;

/** Without parameters of their own, `start` and others may be event handlers of buttons. */
function actionsOf(store: SyncStore): SyncActions {
  return {
    start: () => store.start(),
    startFull: () => store.start('FULL'),
    cancel: () => store.cancel(),
    refresh: () => store.refresh(),
    clearLog: () => store.clearLog(),
    restoreLog: () => store.restoreLog(),
    loadHistory: () => store.loadHistory(),
    loadMoreHistory: () => store.loadMoreHistory(),
    connectCliniko: (apiKey) => store.connectCliniko(apiKey),
  };
}

function errorOf({ results }: SyncView): string | null {
  const errors = [...results.values()].filter(({ isError }) => isError);
  return errors.at(-1)?.text ?? null;
}
