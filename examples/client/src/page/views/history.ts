/** The past syncs: a row and a bar for each, which open it. */

import type { Sync } from '../../core/types';
import { statusTone } from '../../words';
import { storedBy } from '../../words/stored';
import { changesHref, hrefOf } from '../address';
import { badge, byId, element, inside, setText, show, tone } from '../dom';
import { moveFocus } from '../focus';
import { type LiveUpdates, liveUpdates, readLiveUpdates } from '../live/updates';
import { page, words } from '../page';
import type { PatientList } from '../patients/lists';
import { pastChanges, readPastChanges } from '../patients/pastChanges';
import { renderChart } from './chart';
import { changedText, hasLists, setFigure } from './patients';

let shown: unknown = null;
let awaited = ''; // the sync whose row gets the focus as soon as the history has come
let around = ''; // what the rows show beside the history

export function buildHistory(): void {
  byId('more').addEventListener('click', () => void showMore());
  addEventListener('resize', () => renderChart(page.view.history?.syncs ?? []));
}

async function showMore(): Promise<void> {
  const { client } = page;
  if (!client) return;
  const before = byId<HTMLTableSectionElement>('past').rows.length;
  const hadFocus = document.activeElement === byId('more');
  await client.loadMoreHistory();
  if (client !== page.client) return;
  page.view = client.getView();
  renderHistory();
  const firstNew = byId<HTMLTableSectionElement>('past').rows[before];
  if (hadFocus && byId('more').hidden && firstNew) moveFocus(firstNew);
}

export function renderHistory(): void {
  const past = page.view.history;
  show('history', past !== null && past.syncs.length > 0);
  if (!past) return;
  const completed = past.syncs.filter(({ status }) => status === 'COMPLETED').map(({ syncId }) => syncId);
  void readPastChanges(completed);
  void readLiveUpdates(past.syncs.length);
  const text = JSON.stringify([hasLists(), completed.map((syncId) => pastChanges(syncId)), liveUpdates()]);
  if (shown === past && around === text) return;
  shown = past;
  around = text;
  renderSummary();
  renderRows(past.syncs);
  show('more', past.nextCursor !== null);
  renderChart(past.syncs);
}

/** Puts the focus on the row of a sync. Whether it has one. */
export function focusRowOf(syncId: string): boolean {
  const link = [...byId<HTMLTableSectionElement>('past').rows].find((row) => row.dataset['syncId'] === syncId)?.querySelector('a');
  link?.focus({ preventScroll: true });
  link?.scrollIntoView({ block: 'center' });
  awaited = link ? '' : syncId;
  return Boolean(link);
}

function renderSummary(): void {
  const totals = page.view.history?.totals;
  if (!totals) return;
  const parts: [string, number][] = [['completed', totals.successfulSyncs], ['failed', totals.failedSyncs], ['cancelled', totals.cancelledSyncs]];
  const average = totals.averageSyncDurationSeconds;
  setText('history-summary', [
    ...parts.filter(([, count]) => count).map(([name, count]) => `${words.number(count)} ${name}`),
    ...(average === null ? [] : [`${words.duration(average)} on average`]),
  ].join(' · '));
}

// Rows of syncs that are shown already stay: one of them may have the focus.
function renderRows(syncs: readonly Sync[]): void {
  const body = byId<HTMLTableSectionElement>('past');
  const known = new Map([...body.rows].map((row) => [row.dataset['syncId'], row]));
  const newestId = page.view.overview?.lastSuccessfulSync?.syncId ?? '';
  const updatesAfter = new Map(liveUpdates().map((updates) => [updates.afterSyncId, updates]));
  const entries = syncs.flatMap((sync, index) => {
    const entry = { id: sync.syncId, version: versionOf(sync), make: () => rowOf(sync) };
    const updates = updatesAfter.get(sync.syncId);
    return updates ? [entryOf(updates, index === 0 ? newestId : ''), entry] : [entry];
  });
  const rows = entries.map(({ id, version, make }) => {
    const row = known.get(id);
    if (row?.dataset['version'] === version) return row;
    const made = make();
    Object.assign(made.dataset, { syncId: id, version });
    const isFocused = row !== undefined && row === document.activeElement;
    const focused = row?.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
    row?.replaceWith(made);
    if (isFocused) moveFocus(made, { preventScroll: true });
    if (focused) [...made.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus();
    return made;
  });
  for (const row of [...body.rows]) if (!rows.includes(row)) row.remove();
  rows.forEach((row, index) => {
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  // The page has come back from a sync before its row was there, and nobody has moved the focus on since.
  if (!awaited || !rows.length) return;
  if (document.activeElement === byId('title')) focusRowOf(awaited);
  awaited = '';
}

const versionOf = (sync: Sync): string => JSON.stringify([sync.version, hasLists(), pastChanges(sync.syncId)]);

function rowOf(sync: Sync): HTMLTableRowElement {
  const cell = (text: string, className = '', name = ''): HTMLTableCellElement => {
    const made = element('td', { className, textContent: text });
    if (name) made.dataset['name'] = name;
    return made;
  };
  const figure = (count: number | undefined, name: string, list: PatientList): HTMLTableCellElement => {
    const made = cell('', 'number', name);
    setFigure(made, count === undefined ? '–' : words.number(count), sync.status === 'COMPLETED' ? list : null, sync.syncId);
    return made;
  };
  const row = element(
    'tr',
    {},
    element('td', {}, inside(hrefOf(sync.syncId), words.dayAndTime(sync.startedAt))),
    element('td', {}, badge(words.name(sync.status), statusTone(sync.status))),
    cell(words.name(sync.mode), 'mode', 'Mode'),
    cell(words.duration(sync.durationSeconds ?? 0), 'number', 'Took'),
    figure(sync.patientsFound, 'Patients', 'ALL'),
    cell(words.number(sync.appointmentsFound), 'number', 'Appointments'),
    figure(storedBy(sync), 'Active stored', 'ACTIVE'),
    resultCell(sync),
  );
  return row;
}

// The syncs of looks between two others. The newest of them have a link to what they have changed until the sync `newestId`.
function entryOf(updates: LiveUpdates, newestId: string): { id: string; version: string; make: () => HTMLTableRowElement } {
  const { afterSyncId, count, firstAt, lastAt, patientChanges } = updates;
  const syncs = count === 1 ? '1 live update' : `${words.number(count)} live updates`;
  const times = words.dayAndTime(firstAt) === words.dayAndTime(lastAt) ? words.dayAndTime(firstAt) : `${words.dayAndTime(firstAt)} to ${words.dayAndTime(lastAt)}`;
  const changes = patientChanges === 1 ? '1 change of a patient' : `${words.number(patientChanges)} changes of patients`;
  const hasLink = newestId !== '' && patientChanges > 0 && hasLists();
  const make = (): HTMLTableRowElement => {
    const shownChanges = hasLink ? inside(changesHref({ sync: newestId, since: afterSyncId }), changes, { className: 'changed' }) : changes;
    return element('tr', { className: 'updates' }, element('td', { colSpan: 8 }, `${syncs}, ${times} · `, shownChanges));
  };
  return { id: `after ${afterSyncId}`, version: JSON.stringify([updates, hasLink && newestId]), make };
}

// The result of a past sync: its receipt and the lists that differ, or the reason why it ended without one.
function resultCell(sync: Sync): HTMLTableCellElement {
  const made = element('td', { className: 'reason', textContent: sync.failure ? words.withFigures(sync.failure.message) : '' });
  if (sync.receipt) made.append(...receiptOf(sync.receipt));
  const changes = pastChanges(sync.syncId);
  if (!changes) return made;
  const text = changedText(changes);
  made.append(hasLists() ? inside(changesHref({ sync: sync.syncId, since: '' }), text, { className: 'changed' }) : element('span', { className: 'changed', textContent: text }));
  return made;
}

function receiptOf(receipt: NonNullable<Sync['receipt']>): HTMLElement[] {
  const { tone: color, line, differences } = words.receipt(receipt);
  const verdict = element('span', { className: 'verdict', textContent: line });
  tone(verdict, color);
  return [verdict, ...differences.map((text) => element('span', { className: 'why', textContent: text }))];
}
