'use client';

// The React component, at its documented path. To use it in an app, copy the folder ./react/src/, which has all of it.

export { default, useSync } from './react/src';
export type { Connection, Sync, SyncDashboardProps, SyncOptions } from './react/src';
