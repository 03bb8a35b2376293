// What every view of the element is given: the state, the words, the time, and what its buttons do.

import type { StartMode, SyncView } from '../core';
import type { Words } from '../words';
import type { SayCard } from '../words/card';

export interface Scene {
  view: SyncView;
  words: Words;
  card: SayCard;
  /** The server's clock in milliseconds, corrected by the difference from this machine's. */
  now: number;
  /** The server's clock at the moment of the shown state: it stands still while the connection is lost. */
  asOf: number;
  /** The optional parts that are shown: log, history, connection. */
  parts: ReadonlySet<string>;
  heading: string;
  /** Of the words, such as `en` or `de-DE`. */
  language: string;
  /** Where syncs of the history open; empty if they don't. */
  dashboardUrl: string;
  log: LogChoice;
  /** For screen readers. */
  announcement: string;
  actions: Actions;
}

/** What a reader chose for the log. */
export interface LogChoice {
  level: string;
  /** How many lines are in the document: so many, or up to 99 more. */
  most: number;
}

export interface Actions {
  start(mode?: StartMode): void;
  cancel(): void;
  refresh(): void;
  clearLog(): void;
  restoreLog(): void;
  chooseLog(choice: Partial<LogChoice>): void;
  loadMoreHistory(): void;
  connect(apiKey: string): void;
  focusKey(): void;
}
