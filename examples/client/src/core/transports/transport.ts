// What all transports have in common. A transport follows an organization until it can't any more, or until its signal; all
// continue behind the newest known log line, so whichever takes over loses and repeats nothing.

import type { Knowledge } from '../knowledge';
import type { Requests } from '../requests';

export interface Route {
  organizationId: string;
  requests: Requests;
  knowledge: Knowledge;
  /** To be called at each sign of life of the server. */
  heard: () => void;
  /** Waits, until `wake` at the latest. */
  pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** To be set to what has another sync's log followed at once. */
  followLog: () => void;
  /** The sync whose log may not be complete yet. */
  unreadSyncId: string | null;
}

/**
 * Calls `opened` once it works. Returns when it should be started again at once; throws the reason when it can't work.
 * `Blocked` means that this transport does not get through.
 */
export type Follow = (route: Route, signal: AbortSignal, opened: () => void) => Promise<void>;

/** A connection that ends sooner than this after it has worked does not work. */
export const SHORT_LIVED_MS = 5000;
