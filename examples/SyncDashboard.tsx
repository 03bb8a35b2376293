'use client';

// The React component, at its documented path, with its styles. Apps install it as a package; see react/README.md.

import './react/src/SyncDashboard.css';

export { default, useSync } from './react/src';
export type { Connection, Sync, SyncDashboardProps, SyncOptions } from './react/src';
