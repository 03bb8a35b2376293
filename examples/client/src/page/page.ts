/** What the page shows at this moment: one object, which the views read. */

import { type Client, NOTHING_YET, type Sync, type SyncDetail, type SyncView } from '../core/types';
import { createWords } from '../words';
import type { Place, Route } from './address';

export const words = createWords();

export interface Page {
  place: Place;
  route: Route;
  /** Of the organization; null until one is chosen. */
  client: Client | null;
  view: SyncView;
  /** Since when the connection is live, by this page's clock; 0 while it is not. */
  liveSince: number;
  /** The sync that the address opens; null while it opens none. */
  opened: SyncDetail | null;
}

export const page: Page = {
  place: { organization: '', api: '', graphql: '' },
  route: { organization: '', sync: '', line: 0, list: null, changes: null },
  client: null,
  view: NOTHING_YET,
  liveSince: 0,
  opened: null,
};

/** The server's clock, in milliseconds since 1970. */
export const serverNow = (): number => Date.now() - page.view.clockOffset;

/**
 * The server's clock as of the shown state: without a connection it stands still, as the sync may have ended since, or its
 * server stopped.
 */
export function shownAt(): number {
  const { connection, asOf } = page.view;
  const isLost = connection === 'lost' || connection === 'unreachable';
  return isLost && asOf ? asOf - page.view.clockOffset : serverNow();
}

/** The organization's name in Cliniko, as far as it is known. */
export const accountName = (): string => page.view.overview?.connection?.account || '';

/** Failures whose remedy is another key, or a connection. */
const KEY_CODES = new Set(['CONNECTION_MISSING', 'CONNECTION_DISABLED', 'KEY_REFUSED', 'KEY_LACKS_PERMISSION', 'ACCOUNT_MOVED']);

/** Whether a new key is what a failed sync needs: the next step is then the key's field, and else another try. */
export function needsKey(sync: Sync): boolean {
  return KEY_CODES.has(sync.failure?.code ?? '') && page.view.overview?.connection?.state !== 'CONNECTED';
}
