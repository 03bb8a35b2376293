/** How many patients each list has at one sync: kept for the newest sync, and for the one that a list is shown of. */

import { page } from '../page';
import { renderSoon } from '../render';
import { requests } from '../requests';
import { sentenceOf } from '../sentences';
import { type CountsFragment, type ListSummaryFragment, ReadListsDocument } from './gql/graphql';
import type { PatientList } from './lists';

/** How many patients a sync has changed. */
export type ChangeCounts = CountsFragment;

/** The lists of one sync. */
export interface Counts {
  /** Empty while they are not known. */
  lists: readonly ListSummaryFragment[];
  /** What the sync has changed; null while that is not known, and for a first sync. */
  changes: ChangeCounts | null;
  /** Why they are not known, for people; null while there is no reason. */
  problem: string | null;
  /** Whether this person may not read patients. */
  isForbidden: boolean;
}

const UNKNOWN: Counts = { lists: [], changes: null, problem: null, isForbidden: false };
const MOST_SYNCS = 8;
const ASK_FOR_IT =
  'You may not read patients: none of your roles is among those that ROUTIQ_PATIENT_ROLES names. Ask the person who manages your access for a role that may.';

const known = new Map<string, Counts>(); // by the id of the sync, the earliest asked first
let asked: unknown = null;

/** The lists as of a sync, read when they are asked for first. */
export function countsAt(syncId: string): Counts {
  if (asked !== page.client) forgetCounts();
  const found = known.get(syncId);
  if (!found && syncId && page.view.connection === 'live') void read(syncId);
  return found ?? UNKNOWN;
}

/** The number of a list as of a sync; null while it is not known. */
export const countAt = (syncId: string, list: PatientList): number | null =>
  countsAt(syncId).lists.find((one) => one.list === list)?.totalCount ?? null;

/** Forgets all numbers: those of another person or organization come. */
export function forgetCounts(): void {
  asked = page.client;
  known.clear();
}

/** Asks again for what could not be read. */
export function retryCounts(): void {
  for (const [syncId, { problem }] of known) if (problem) known.delete(syncId);
}

async function read(syncId: string): Promise<void> {
  const { client } = page;
  known.set(syncId, UNKNOWN);
  for (const oldest of [...known.keys()].slice(0, -MOST_SYNCS)) known.delete(oldest);
  let found: Counts;
  try {
    const { patientLists, syncStatus } = await requests().ask(ReadListsDocument, { organizationId: page.place.organization, asOf: syncId });
    const mayRead = patientLists.every(({ isReadable }) => isReadable);
    found = mayRead
      ? { lists: patientLists, changes: syncStatus?.changes ?? null, problem: null, isForbidden: false }
      : { ...UNKNOWN, changes: syncStatus?.changes ?? null, problem: ASK_FOR_IT, isForbidden: true };
  } catch (error) {
    found = { ...UNKNOWN, problem: sentenceOf(error) };
  }
  if (client !== page.client) return;
  known.set(syncId, found);
  renderSoon();
}
