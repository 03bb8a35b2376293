/** How many patients each past sync has changed, for the history. Any member may know these counts: they name no patient. */

import { page } from '../page';
import { renderSoon } from '../render';
import { requests } from '../requests';
import type { ChangeCounts } from './counts';
import { ReadPastChangesDocument } from './gql/graphql';

const MOST_AT_ONCE = 100;

const known = new Map<string, ChangeCounts | null>();
let client: unknown = null;
let isReading = false;

/** The changes of a sync; undefined until they are read, null if they are not known. */
export const pastChanges = (syncId: string): ChangeCounts | null | undefined => known.get(syncId);

/** Reads the changes of these completed syncs of the history, newest first, if they are not known yet. */
export async function readPastChanges(syncIds: readonly string[]): Promise<void> {
  if (client !== page.client) known.clear();
  ({ client } = page);
  const mine = client;
  if (isReading || page.view.connection !== 'live' || syncIds.every((syncId) => known.has(syncId))) return;
  isReading = true;
  const found = new Map<string, ChangeCounts | null>();
  try {
    let after: string | null = null;
    do {
      const asked: { organizationId: string; limit: number; after: string | null } = { organizationId: page.place.organization, limit: MOST_AT_ONCE, after };
      const { history } = await requests().ask(ReadPastChangesDocument, asked);
      for (const { syncId, changes } of history.recentSyncs) found.set(syncId, changes);
      after = history.nextCursor;
    } while (after && syncIds.some((syncId) => !known.has(syncId) && !found.has(syncId)));
  } catch {
    // the history is complete without them
  }
  isReading = false;
  if (mine !== page.client) return;
  for (const syncId of syncIds) known.set(syncId, found.get(syncId) ?? known.get(syncId) ?? null);
  renderSoon();
}
