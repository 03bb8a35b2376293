'use client';

// What the component is used by; everything else in this folder is its own business.

export { default, default as SyncDashboard } from './SyncDashboard';
export type { SyncDashboardProps } from './SyncDashboard';
export { useSync } from './useSync';
export type { Connection, LogLine, Overview, Sync, SyncOptions, SyncState } from './useSync';
