// The React component, at its documented path. It lives in ./react/src/ beside the hook useSync that it is made of.

export { default } from './react/src/SyncDashboard';
export type { SyncDashboardProps } from './react/src/SyncDashboard';
export { useSync } from './react/src/useSync';
export type { Connection, Sync, SyncOptions } from './react/src/useSync';
