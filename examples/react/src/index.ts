'use client';

// The package: the component, the hook, and their types. Everything else is internal.

export { default, default as SyncDashboard } from './SyncDashboard';
export type { SyncDashboardProps } from './SyncDashboard';
export type { Part } from './scene';
export { useSync } from './useSync';
export type { SyncActions, SyncOptions, SyncState } from './useSync';
export type { Labels } from '../../client/src/words';
export type { CardLabels } from '../../client/src/words/card';
export type {
  ActionName,
  ActionResult,
  ConnectResult,
  Connection,
  GetToken,
  HistoryView,
  LogLine,
  Overview,
  Sync,
  Transport,
} from '../../client/src/core';
