// The types of <routiq-sync>. A test compares them with the sources in ../client/src/element/.

import type { LabelName } from './labels.js';

export type { LabelName };

/** Words and sentences in place of the English ones; names in braces are filled in. */
export type Labels = Partial<Record<LabelName, string>>;

/** Gives the token for a request or (re)connection. `isFresh`: the server has refused the last one. */
export type GetToken = (wanted: { isFresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;

export type SyncStatus =
  | 'IDLE'
  | 'STARTING'
  | 'FETCHING_PATIENTS'
  | 'FETCHING_APPOINTMENTS'
  | 'ANALYZING'
  | 'STORING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED';

export type SyncMode = 'AUTO' | 'FULL' | 'INCREMENTAL' | 'TIME_ONLY';

/** A sync, as the events have it. Times are ISO 8601 in UTC. */
export interface Sync {
  syncId: string;
  mode: SyncMode;
  status: SyncStatus;
  progressPercentage: number;
  currentStepNumber: number;
  patientsFound: number;
  appointmentsFound: number;
  activePatientsIdentified: number;
  activePatientsStored: number;
  startedAt: string;
  completedAt: string | null;
  durationSeconds: number | null;
  /** Why it failed or was cancelled, and what to do. */
  failure: { code: string; message: string; whatToDo: string } | null;
  /** The comparison with Cliniko; `agrees` is null if Cliniko did not let the sync compare everything. */
  receipt: { agrees: boolean | null; checkedAt: string; requests: number } | null;
}

export interface RoutiqSyncEventMap extends HTMLElementEventMap {
  /** A sync that the element saw running has completed. */
  completed: CustomEvent<Sync>;
  failed: CustomEvent<Sync>;
  cancelled: CustomEvent<Sync>;
}

/** An organization's sync, live. It is connected while it is in a document. Each property but the last two is an attribute. */
export declare class RoutiqSync extends HTMLElement {
  /** The organization whose syncs are shown. */
  organizationId: string | null;
  /** The documented REST address; `/api/v1` on the server of the page unless given. */
  apiBaseUrl: string | null;
  /** The GraphQL endpoint; `/graphql` beside the `/api/v1` of `apiBaseUrl` unless given. */
  graphqlUrl: string | null;
  /** The address of a dashboard page, in which syncs of the history open. */
  dashboardUrl: string | null;
  heading: string | null;
  /** Of numbers and times, such as `de-DE`. */
  locale: string | null;
  /** The optional parts that are shown, separated by spaces: `log`, `history`, `connection`. Only `log` unless given. */
  parts: string | null;
  labels: Labels | null;
  getToken: GetToken | null;

  /** Starts a sync; if a sync runs already, that sync is shown. */
  start(mode?: Exclude<SyncMode, 'TIME_ONLY'>): Promise<void>;
  /** Ends the running sync. */
  cancel(): Promise<void>;
  /** Asks the server for everything once more. Not needed while the connection is live. */
  refresh(): Promise<void>;

  addEventListener<Name extends keyof RoutiqSyncEventMap>(
    name: Name,
    listener: (this: RoutiqSync, event: RoutiqSyncEventMap[Name]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(name: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Name extends keyof RoutiqSyncEventMap>(
    name: Name,
    listener: (this: RoutiqSync, event: RoutiqSyncEventMap[Name]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(name: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'routiq-sync': RoutiqSync;
  }
}
