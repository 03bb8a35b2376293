'use client';

// The hook behind SyncDashboard: an organization's sync, live, for a design of your own.

import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';

import type { GetToken } from './requests';
import { NOTHING_YET, SyncStore, type SyncView } from './syncStore';

export type { Connection } from './socket';
export type { LogLine, Overview, Sync } from './syncStore';

export interface SyncOptions {
  organizationId: string;
  /** The documented REST address, such as `http://localhost:8000/api/v1`. */
  apiBaseUrl: string;
  /** The GraphQL endpoint; `/graphql` on the host of `apiBaseUrl` unless given. */
  graphqlUrl?: string | undefined;
  /** Gives the token for a request, a (re)connection or a renewal of one; it may be fetched at that moment. */
  getToken?: GetToken | undefined;
}

export interface SyncState extends SyncView {
  /** Where `sync` stands; `IDLE` if there has been none; null until the server has answered. */
  status: NonNullable<SyncView['sync']>['status'] | null;
  isRunning: boolean;
  start: () => Promise<void>;
  /** Reads everything from Cliniko again; `start` reads what changed. */
  startFull: () => Promise<void>;
  cancel: () => Promise<void>;
  refresh: () => Promise<void>;
  clearLog: () => void;
}

const getServerView = (): SyncView => NOTHING_YET;

/** Follows the organization's syncs, wherever they were started, while the component is mounted. */
export function useSync({ organizationId, apiBaseUrl, graphqlUrl, getToken }: SyncOptions): SyncState {
  const latestGetToken = useRef(getToken);
  useEffect(() => {
    latestGetToken.current = getToken; // a new function at each render must not mean a new connection
  });
  const store = useMemo(
    () => new SyncStore(organizationId, apiBaseUrl, graphqlUrl, () => latestGetToken.current?.()),
    [organizationId, apiBaseUrl, graphqlUrl],
  );
  const view = useSyncExternalStore(store.subscribe, store.getView, getServerView);
  return {
    ...view,
    status: view.sync?.status ?? (view.overview ? 'IDLE' : null),
    isRunning: view.sync !== null && !view.sync.completedAt,
    start: store.start,
    startFull: store.startFull,
    cancel: store.cancel,
    refresh: store.refresh,
    clearLog: store.clearLog,
  };
}
