/** The syncs of looks, which the history shows as one row between two other syncs. Read again after each completed sync. */

import { page } from '../page';
import { ReadLiveUpdatesDocument, type ReadLiveUpdatesQuery } from '../patients/gql/graphql';
import { renderSoon } from '../render';
import { requests } from '../requests';

const MOST_SYNCS = 100;

export type LiveUpdates = ReadLiveUpdatesQuery['history']['liveUpdates'][number];

let known = { client: null as unknown, key: '', updates: [] as readonly LiveUpdates[] };

/** The live updates after each sync of the history that has any. */
export const liveUpdates = (): readonly LiveUpdates[] => (known.client === page.client ? known.updates : []);

/** Reads the live updates between so many of the newest syncs, if there may be others. */
export async function readLiveUpdates(syncs: number): Promise<void> {
  const key = `${page.view.overview?.lastSuccessfulSync?.syncId} ${syncs}`;
  if (page.view.connection !== 'live' || (known.client === page.client && known.key === key)) return;
  const mine = (known = { client: page.client, key, updates: liveUpdates() });
  try {
    const { history } = await requests().ask(ReadLiveUpdatesDocument, { organizationId: page.place.organization, limit: Math.min(syncs, MOST_SYNCS) });
    mine.updates = history.liveUpdates;
  } catch {
    // the history is complete without them
  }
  if (mine === known) renderSoon();
}
