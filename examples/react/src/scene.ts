// What each part of the component is given: the state, the words, the time, and where the focus can go.

import type { RefObject } from 'react';

import type { Words } from '../../client/src/words';
import type { SayCard } from '../../client/src/words/card';
import type { SyncState } from './useSync';

/** The parts that can be left out. */
export type Part = 'connection' | 'history' | 'log';

export interface Scene {
  state: SyncState;
  words: Words;
  card: SayCard;
  /** The server's clock in milliseconds, corrected by the difference from this machine's. */
  now: number;
  /** The server's clock at the moment of the shown state: it stands still while the connection is lost. */
  asOf: number;
  parts: readonly Part[];
  titleId: string;
  /** The field for a Cliniko key, if it is shown. */
  keyField: RefObject<HTMLInputElement | null>;
  hrefOfSync: ((syncId: string) => string) | null;
}

/** Whether a press of Start would start a sync. */
export function canStart({ isRunning, pending, overview }: SyncState): boolean {
  return !isRunning && !pending.has('start') && !pending.has('startFull') && overview?.syncAvailable !== false;
}
