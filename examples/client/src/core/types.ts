// What views know and say: the view of a moment, the options of a client, and the words for both. Only types and constants,
// so that a server that renders a page may import them.

import type {
  HistoryPageFragment,
  LineFragment,
  LogLevel,
  OverviewFragment,
  ReadOrganizationsQuery,
  SyncFragment,
  SyncMode,
  SyncState,
  SyncStep,
} from './gql/graphql';

export type { LogLevel, SyncActorKind, SyncFailureCode, SyncMode, SyncState, SyncStep, WaitReason } from './gql/graphql';

/** One state of a sync. Of two states the one with the higher `version` is the newer. */
export type Sync = SyncFragment;
/** An organization's figures, its connection to Cliniko, and its newest syncs. */
export type Overview = OverviewFragment;
/** One line of a sync's log; `seq` is 1, 2, 3… without gaps. */
export type LogLine = LineFragment;
export type Freshness = NonNullable<Overview['freshness']>;
/** An organization that the viewer may see, for a list to choose from. */
export type OrganizationSummary = ReadOrganizationsQuery['organizations']['organizations'][number];
export type Receipt = NonNullable<Sync['receipt']>;
export type ListReceipt = Receipt['lists'][number];
/** Who started or cancelled a sync. */
export type SyncActor = NonNullable<Sync['startedBy']>;
/** When a sync entered and left a step, and how much of that it waited. */
export type StepTiming = Sync['steps'][number];
export type Failure = NonNullable<Sync['failure']>;

/**
 * Gives the token for a request, a (re)connection or a renewal; it may be fetched at that moment. `isFresh`: the server has
 * refused the last one, so another one is needed. Nothing (null, undefined, '') means: ask without a token.
 */
export type GetToken = (wanted: { isFresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;

/** How news arrive. */
export type Transport = 'websocket' | 'stream' | 'polling';

/** All of them, in order of preference. */
export const TRANSPORTS: readonly Transport[] = ['websocket', 'stream', 'polling'];

export interface ClientOptions {
  organizationId: string;
  /** The documented REST address, such as `http://localhost:8000/api/v1`. */
  apiBaseUrl: string;
  /** The GraphQL endpoint; `/graphql` beside the `/api/v1` of `apiBaseUrl` unless given. */
  graphqlUrl?: string | undefined;
  getToken?: GetToken | undefined;
  /** Which ones may be used, in order of preference: all unless given. */
  transports?: readonly Transport[] | undefined;
  /** Whether all tabs of this browser with the same server, organization and person have one connection: true unless given. */
  sharesTabs?: boolean | undefined;
}

/**
 * How the connection to the server is. `connecting`: for the first time. `live`. `paused`: given back while the page is
 * hidden. `lost`: it was live. `unreachable`: nothing has answered so far. `blocked`: a server answers but not as this page
 * needs it, for example because it doesn't allow the page's origin. All these are tried again by themselves; `refused`,
 * such as a token that is not accepted, only with another token or when a person asks.
 */
export type Connection = 'connecting' | 'live' | 'paused' | 'lost' | 'unreachable' | 'blocked' | 'refused';

export interface ConnectionView {
  connection: Connection;
  /** What is in use while the connection is live; null otherwise. */
  transport: Transport | null;
  /** What is wrong with the connection and what to do, for people; null while nothing is. */
  problem: string | null;
  /** When the next attempt starts, in milliseconds since 1970; null during an attempt, and while none is needed. */
  retryAt: number | null;
  /** Why a person should give a token (`setToken`) or sign in again; null while there is no reason. */
  needsToken: string | null;
}

/** What a person may ask for. `start` is that of any mode but FULL, which is `startFull`. */
export type ActionName = 'start' | 'startFull' | 'cancel' | 'refresh' | 'connect' | 'history' | 'moreHistory';

/** What the last attempt of an action came to. It is dropped as soon as it is not true any more. */
export interface ActionResult {
  isError: boolean;
  /** What happened, in one or two sentences for people. */
  text: string;
}

/** What came of a Cliniko key. It was stored if `ok`. */
export interface ConnectResult {
  ok: boolean;
  /** The name of the Cliniko account; null if unknown. */
  account: string | null;
  /** What happened and what to do, in sentences for people. */
  text: string;
}

export type HistoryTotals = Omit<HistoryPageFragment, 'recentSyncs' | 'nextCursor'>;

/** The organization's past syncs, as far as they were read, newest first. A running one is not among them. */
export interface HistoryView {
  syncs: readonly Sync[];
  /** Counts over all syncs, also those that were not read; null until the first page has come. */
  totals: HistoryTotals | null;
  /** Whether `loadMoreHistory` gives more syncs. */
  nextCursor: string | null;
  isLoading: boolean;
}

/** All of one moment. A new object whenever something has changed. */
export interface SyncView extends ConnectionView {
  /** The organization's figures; null until the server has answered. */
  overview: Overview | null;
  /** The running sync, or the newest one that has ended; null if there is none, or none is known yet. */
  sync: Sync | null;
  /** The log of `sync`: every line once, in order, the newest `MOST_LINES` of those that were not cleared. */
  log: readonly LogLine[];
  /** How many lines of the log were cleared from the view. */
  clearedLines: number;
  /** How many older lines were left out, as the view keeps the newest ones only. */
  droppedLines: number;
  /** When `sync` last changed, by this page's clock, in milliseconds since 1970; 0 before. */
  heardAt: number;
  /** When the server last said anything, by this page's clock: as of when the view is while the connection is lost; 0 before. */
  asOf: number;
  /** This page's clock minus the server's, in milliseconds; 0 while unknown. The server's time is `Date.now() - clockOffset`. */
  clockOffset: number;
  /** Null until `loadHistory`; from then on it is kept up to date. */
  history: HistoryView | null;
  /** What was asked for and is not answered yet. */
  pending: ReadonlySet<ActionName>;
  /** What the last attempts came to, as long as that is true. */
  results: ReadonlyMap<ActionName, ActionResult>;
}

/** How many lines of the running sync's log a view keeps. The whole log of any sync: `openSync`. */
export const MOST_LINES = 2000;

/** What is shown before the server has answered, also where a server renders the page. */
export const NOTHING_YET: SyncView = {
  connection: 'connecting',
  transport: null,
  problem: null,
  retryAt: null,
  needsToken: null,
  overview: null,
  sync: null,
  log: [],
  clearedLines: 0,
  droppedLines: 0,
  heardAt: 0,
  asOf: 0,
  clockOffset: 0,
  history: null,
  pending: new Set(),
  results: new Map(),
};

/** One page of the organizations that the viewer may see. */
export interface OrganizationPage {
  organizations: readonly OrganizationSummary[];
  nextCursor: string | null;
}

/** How a sync ended. */
export type SyncEnding = 'completed' | 'failed' | 'cancelled';

/** Modes in which a person may start a sync. */
export type StartMode = Exclude<SyncMode, 'TIME_ONLY'>;

export const isOver = (sync: Sync): boolean => sync.completedAt !== null;

/** The steps of a sync in their order: the first one is step 1. */
export const STEPS: readonly SyncStep[] = [
  'INITIALIZING',
  'CHECKING_CONFIG',
  'CHECKING_CREDENTIALS',
  'FETCHING_PATIENTS',
  'FETCHING_APPOINTMENTS',
  'LOADING_TYPES',
  'ANALYZING',
  'STORING',
];

/** The levels of log lines, the least severe first. */
export const LEVELS: readonly LogLevel[] = ['INFO', 'SUCCESS', 'WARNING', 'ERROR'];

/** The states in which a sync ends, and what views call these endings. */
export const ENDINGS: Partial<Record<SyncState, SyncEnding>> = { COMPLETED: 'completed', FAILED: 'failed', CANCELLED: 'cancelled' };

/** The log of one sync, whole, and what is found in it. It grows at its end while the sync runs. */
export interface LogIndex {
  readonly length: number;
  /** Increases whenever lines are added; an earlier result of `search` is then incomplete. */
  readonly version: number;
  /** The line at `index`, from 0. Line numbers that people see are `seq`. */
  line(index: number): LogLine;
  /** The index of the line with this `seq`; -1 if there is none (yet). */
  indexOf(seq: number): number;
  /**
   * The indexes of the lines that contain `query` (any case; empty: all) and have one of the levels and one of the steps;
   * null means all of them.
   */
  search(query: string, levels?: ReadonlySet<LogLevel> | null, steps?: ReadonlySet<SyncStep> | null): Int32Array;
  /** How many lines there are of each level and of each step, of all lines. */
  readonly levelCounts: Readonly<Record<LogLevel, number>>;
  readonly stepCounts: Readonly<Record<SyncStep, number>>;
}

/** One sync, past or running. `missing`: the server knows none with this id (any more). */
export interface SyncDetailView {
  phase: 'loading' | 'ready' | 'missing' | 'failed';
  /** Why it is missing or failed, or why a `ready` one can't be kept up to date, and what to do, for people; null otherwise. */
  problem: string | null;
  sync: Sync | null;
  log: LogIndex;
  /** Whether the log is complete up to now. */
  isLogComplete: boolean;
}

/** What a store of one sync offers to views. */
export interface SyncDetail {
  readonly syncId: string;
  readonly getView: () => SyncDetailView;
  readonly subscribe: (listener: () => void) => () => void;
  /** Asks again after a failure. Without it, the sync is asked for again by itself while the server is away. */
  readonly retry: () => void;
  /** The whole log as a file, fetched with the person's own token. Throws an Error whose message is for people. */
  readonly download: (format: 'text' | 'json') => Promise<Blob>;
}

/** What a store of an organization's syncs offers to views. It fits React's useSyncExternalStore. */
export interface Client {
  /** The view of this moment: the same object until something changes. */
  readonly getView: () => SyncView;
  /** Connects for the first listener, and closes after the last one has left. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Starts a sync: AUTO unless given. If a sync runs already, that sync is shown. */
  readonly start: (mode?: StartMode) => Promise<void>;
  /** Ends the running sync; the answer is its final state. */
  readonly cancel: () => Promise<void>;
  /** Asks for everything once more. Not needed while the connection is live. */
  readonly refresh: () => Promise<void>;
  /** Connects the organization to Cliniko, or replaces its key. The result is also in `results`. */
  readonly connectCliniko: (apiKey: string) => Promise<ConnectResult>;
  /** Reads the newest past syncs; later ones are added by themselves. */
  readonly loadHistory: () => Promise<void>;
  readonly loadMoreHistory: () => Promise<void>;
  /** Hides the log lines so far; later ones are added again. */
  readonly clearLog: () => void;
  /** Shows hidden lines again. */
  readonly restoreLog: () => void;
  /** A token that a person has typed, used in place of `getToken` from now on; null: `getToken` again. Connects anew. */
  readonly setToken: (token: string | null) => void;
  /** Ends the wait before the next attempt, also after `refused`. */
  readonly retryNow: () => void;
  /** Calls `handler` once for each sync that this page saw running and that has ended so. Returns what stops it. */
  readonly on: (ending: SyncEnding, handler: (sync: Sync) => void) => () => void;
  readonly openSync: (syncId: string) => SyncDetail;
}
