/** The patients that changed while the page is open, and shortly before: who, what and why. Read after each completed sync. */

import { Refused } from '../../core/errors';
import { page } from '../page';
import { type ChangeCounts, countsAt } from '../patients/counts';
import { type ChangeFragment, ReadChangesDocument } from '../patients/gql/graphql';
import { renderSoon } from '../render';
import { requests } from '../requests';
import { announceChanges } from './announcing';
import { isLive } from './mode';

/** The newest changes that are shown with their reasons. */
const MOST_SHOWN = 5;
/** How long the row of a changed patient is marked. */
const MARK_MS = 60_000;
/** How long the mark counts as fresh: its colour fades meanwhile, and no longer when the list is read again. */
const FRESH_MS = 3000;
const MOST_MARKED = 500;

/** What the newest completed sync with changes has changed, together with those that completed since the one shown before. */
export interface Batch {
  syncId: string;
  since: string;
  counts: ChangeCounts;
  /** When the sync completed, in milliseconds since 1970 by the server's clock. */
  at: number;
}

/** A change, and when the sync completed that has read it. */
export type RecentChange = ChangeFragment & { at: number };

let client: unknown = null;
let seen = ''; // the newest sync whose changes were read
let reading = '';
let batch: Batch | null = null;
let recent: readonly RecentChange[] = [];
const marked = new Map<string, { change: ChangeFragment; until: number }>(); // by the patient's id in Cliniko

/** The newest changes: null until there are any. */
export const newestBatch = (): Batch | null => batch;
/** The patients of the newest changes, the newest first; empty for people who may not read patients. */
export const recentChanges = (): readonly RecentChange[] => recent;

/** What has just changed of a patient, by any id of the patient; null unless that was within the last minute. */
export function justChanged(id: string): ChangeFragment | null {
  const found = marked.get(clinikoId(id));
  return found && found.until > Date.now() ? found.change : null;
}

/** Whether the change of `justChanged` came a moment ago. */
export const isFresh = (id: string): boolean => (marked.get(clinikoId(id))?.until ?? 0) > Date.now() + MARK_MS - FRESH_MS;

/** Reads the changes of a sync that has completed since. */
export function renewChanges(): void {
  if (client !== page.client) forget();
  const completed = page.view.overview?.lastSuccessfulSync;
  if (!completed?.completedAt || !isLive() || page.view.connection !== 'live' || [seen, reading].includes(completed.syncId)) return;
  const { lists, isForbidden, changes } = countsAt(completed.syncId);
  const at = Date.parse(completed.completedAt);
  if (isForbidden) {
    if (changes) take({ syncId: completed.syncId, since: '', counts: changes, at }, []);
    else seen = completed.syncId;
  } else if (lists.length && !reading) void read(completed.syncId, at);
}

function forget(): void {
  client = page.client;
  seen = reading = '';
  batch = null;
  recent = [];
  marked.clear();
}

async function read(syncId: string, at: number): Promise<void> {
  const mine = page.client;
  const since = seen;
  reading = syncId;
  try {
    const { syncChanges } = await ask(syncId, since);
    if (mine !== page.client) return;
    const { nodes, isBaseline, pageInfo } = syncChanges;
    const counts = (pageInfo.hasNextPage && countsAt(syncId).changes) || countOf(nodes);
    take({ syncId, since, counts: isBaseline ? countOf([]) : counts, at }, nodes);
  } catch {
    if (mine === page.client) seen = syncId; // the figures are right nevertheless; the next sync is read again
  }
  if (mine === page.client) reading = '';
  renderSoon();
}

// The sync shown before may be kept no longer: then the changes of the newest one alone.
async function ask(syncId: string, since: string) {
  const asked = { organizationId: page.place.organization, syncId, since: since || null, after: null, isFirst: false };
  try {
    return await requests().ask(ReadChangesDocument, asked);
  } catch (error) {
    if (!since || !(error instanceof Refused)) throw error;
    return requests().ask(ReadChangesDocument, { ...asked, since: null });
  }
}

function take(found: Batch, nodes: readonly ChangeFragment[]): void {
  const isFirst = seen === '';
  seen = found.syncId;
  if (!found.counts.patients) return;
  batch = found;
  const [active, others] = [nodes.filter(isOfActivity), nodes.filter((one) => !isOfActivity(one))];
  const known = new Set(nodes.map(({ patientId }) => patientId));
  const news = [...active, ...others].map((one) => ({ ...one, at: found.at }));
  recent = [...news, ...recent.filter(({ patientId }) => !known.has(patientId))].slice(0, MOST_SHOWN);
  if (isFirst) return; // what has changed before the page was opened is no news
  mark(nodes);
  announceChanges(found.counts);
}

function mark(nodes: readonly ChangeFragment[]): void {
  const until = Date.now() + MARK_MS;
  for (const change of nodes) {
    const id = clinikoId(change.patientId);
    marked.delete(id);
    marked.set(id, { change, until });
  }
  for (const oldest of [...marked.keys()].slice(0, -MOST_MARKED)) marked.delete(oldest);
  setTimeout(renderSoon, MARK_MS + 100);
}

const isOfActivity = ({ kinds }: ChangeFragment): boolean => kinds.includes('BECAME_ACTIVE') || kinds.includes('BECAME_INACTIVE');

function countOf(nodes: readonly ChangeFragment[]): ChangeCounts {
  const count = (kind: ChangeFragment['kinds'][number]): number => nodes.filter(({ kinds }) => kinds.includes(kind)).length;
  return { patients: nodes.length, becameActive: count('BECAME_ACTIVE'), becameInactive: count('BECAME_INACTIVE') };
}

// Ids differ by what they are as of, and end with the id in Cliniko.
const clinikoId = (id: string): string => id.slice(id.lastIndexOf(':') + 1);
