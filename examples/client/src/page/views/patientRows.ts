/** The table of a list of patients: its header, and a row for each patient in sight. */

import { listHref, type ListRoute } from '../address';
import { byId, element, inside, show, tone } from '../dom';
import { isFresh, justChanged } from '../live/changes';
import { words } from '../page';
import { type Column, COLUMNS, chosenColumns } from '../patients/columns';
import { type ClinicDates, clinicDates } from '../patients/dates';
import { CHANGE_KINDS, shownKinds } from '../patients/kinds';
import type { PatientSort } from '../patients/lists';
import type { PatientPages, PatientRow } from '../patients/pages';
import type { RowsPlace } from '../patients/place';
import { VirtualList } from '../virtualList';
import { mark } from './marks';

const NAME: Pick<Column, 'title' | 'sorts' | 'minPx' | 'share'> = { title: 'Name', sorts: ['NAME', 'NAME_DESC'], minPx: 150, share: 1.3 };
const ROW_PX = 56; // with two lines
const NARROW_ROW_PX = 190; // where each value has a line of its own
const GAP_PX = 14; // between columns, and beside them
const narrow = matchMedia('(max-width: 640px)');

let list: VirtualList<number> | null = null;
let pages: PatientPages | null = null;
let dates: ClinicDates = clinicDates('UTC', new Date(0).toISOString());
let columns: readonly Column[] = [];
let current = 0; // the position of the row that Tab reaches
let isAwaited = false; // whether its patient is to have the focus once they were read
let openPatient: (row: PatientRow, dates: ClinicDates) => void = () => undefined;

/** Begins; `open` is called for a patient whose details are wanted, `moved` when a person has scrolled. */
export function buildPatientRows(open: typeof openPatient, moved: () => void): void {
  openPatient = open;
  byId('list-box').addEventListener('scroll', moved, { passive: true });
  list = new VirtualList(byId('list-box'), byId('list-rows'), {
    keyOf: (position) => position,
    make: rowAt,
    place: (row, position) => row.setAttribute('aria-rowindex', String(position + 2)), // the header is row 1
    estimatedPx: () => (narrow.matches ? NARROW_ROW_PX : ROW_PX),
    headPx: () => byId('list-head').offsetHeight,
    seen: (first, last) => pages?.want(first, last),
  });
  byId('list-box').addEventListener('keydown', moveByKey);
  byId('list-rows').addEventListener('click', ({ target }) => {
    const position = (target as Element).closest<HTMLElement>('[data-position]')?.dataset['position'];
    const isMarking = getSelection()?.isCollapsed === false; // a text is being selected
    if (position !== undefined && !isMarking) openAt(Number(position));
  });
}

/** Shows another list, or the same one with other columns. */
export function showPatientRows(shown: PatientPages, route: ListRoute): void {
  const isOther = pages !== shown;
  pages = shown;
  const { about } = shown;
  if (isOther) {
    current = 0;
    list?.clear();
  }
  if (about) dates = clinicDates(about.timeZone, about.analyzedAt);
  renderHead(route);
  const count = about?.totalCount ?? 0;
  byId('list-box').setAttribute('aria-rowcount', String(count + 1));
  list?.show(count, (position) => position, true);
}

/** Fills rows whose patients have come. */
export function renewRows(from: number, to: number): void {
  list?.renew(Array.from({ length: to - from }, (_row, index) => from + index));
  if (isAwaited && current >= from && current < to && document.activeElement === byId('list-box')) moveTo(current);
}

/** The position of the first patient in sight, and of the one that Tab reaches. */
export const placeInRows = (): RowsPlace => ({ first: list?.firstInSight ?? 0, current });

/** Scrolls to where a person left the same list. */
export function returnToRows(place: RowsPlace): void {
  if (!pages?.about?.totalCount) return;
  show('list-box', true); // what is hidden can't scroll
  current = Math.min(place.current, pages.about.totalCount - 1);
  list?.showFrom(place.first);
  list?.renew([0, current]); // another row is the one that Tab reaches
}

/** Forgets all patients: the list was closed. */
export function clearPatientRows(): void {
  pages = null;
  list?.clear();
}

function renderHead(route: ListRoute): void {
  const chosen = chosenColumns();
  columns = COLUMNS.filter(({ id }) => chosen.has(id));
  const all = [NAME, ...columns];
  byId('list-box').style.setProperty('--columns', all.map(({ minPx, share }) => `minmax(${minPx}px, ${share}fr)`).join(' '));
  byId('list-box').style.setProperty('--least', `${all.reduce((sum, { minPx }) => sum + minPx + GAP_PX, GAP_PX)}px`);
  const focused = document.activeElement?.closest('#list-head a')?.getAttribute('data-name');
  const cells = all.map((column) => headCell(column, route));
  byId('list-head').replaceChildren(element('div', {}, ...cells));
  byId('list-head').firstElementChild?.setAttribute('role', 'row');
  if (focused) document.querySelector<HTMLElement>(`#list-head a[data-name="${focused}"]`)?.focus();
}

function headCell({ title, sorts, ...column }: Pick<Column, 'title' | 'sorts' | 'isNumber'>, route: ListRoute): HTMLElement {
  const cell = element('span', { className: column.isNumber ? 'number' : '' });
  cell.setAttribute('role', 'columnheader');
  if (!sorts) {
    cell.textContent = title;
    return cell;
  }
  const isSorted = sorts.includes(route.sort);
  const next: PatientSort = route.sort === sorts[0] ? sorts[1] : sorts[0];
  const link = inside(listHref({ ...route, sort: next }), title);
  link.dataset['name'] = title;
  cell.append(link);
  const isDown = route.sort.endsWith('_DESC');
  cell.setAttribute('aria-sort', !isSorted ? 'none' : isDown ? 'descending' : 'ascending');
  return cell;
}

function rowAt(position: number): HTMLElement {
  const row = element('div', { className: 'patient' });
  row.setAttribute('role', 'row');
  const patient = pages?.at(position) ?? null;
  if (!patient) {
    row.classList.add('is-coming');
    row.append(cellOf({ text: 'Loading…' }, 'name'));
    return row;
  }
  row.dataset['position'] = String(position);
  const name = element('button', { type: 'button', className: 'plain', textContent: patient.name, tabIndex: position === current ? 0 : -1 });
  mark(name, pages?.query.search ?? '');
  const cell = element('span', { className: 'name' }, name);
  if (patient.preferredFirstName) cell.append(element('small', { textContent: `“${patient.preferredFirstName}”` }));
  cell.setAttribute('role', 'cell');
  row.dataset['patient'] = patient.id;
  row.append(cell, ...columns.map((column) => cellOf(column.cell(patient, dates), column.isNumber ? 'number' : column.id, column.title)));
  markRow(row);
  return row;
}

/** Marks the rows of patients who have just changed, and no others any more. */
export function markChangedRows(): void {
  for (const row of byId('list-rows').querySelectorAll<HTMLElement>('.patient[data-patient]')) markRow(row);
}

function markRow(row: HTMLElement): void {
  const change = justChanged(row.dataset['patient'] ?? '');
  const kinds = shownKinds(change?.kinds ?? []).map((kind) => CHANGE_KINDS[kind]);
  const said = change ? `Just now: ${kinds.map(([text]) => text).join(', ')}` : '';
  if ((row.querySelector('.just')?.textContent ?? '') === said) return;
  row.querySelector('.just')?.remove();
  row.classList.toggle('is-new', change !== null);
  row.classList.toggle('is-fresh', isFresh(row.dataset['patient'] ?? ''));
  tone(row, kinds.at(-1)?.[1] ?? 'grey');
  if (change) row.querySelector('.name')?.append(element('span', { className: 'badge just', textContent: said, title: change.sentence }));
}

function cellOf({ text, detail }: { text: string; detail?: string | undefined }, className: string, title = ''): HTMLElement {
  const cell = element('span', { className }, text);
  cell.setAttribute('role', 'cell');
  if (title) cell.dataset['name'] = title;
  if (detail) cell.append(element('small', { textContent: detail }));
  return cell;
}

// Arrow keys move from patient to patient; only the current one is in the order of Tab.
function moveByKey(event: KeyboardEvent): void {
  const count = pages?.about?.totalCount ?? 0;
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  const distance = steps[event.key];
  if (distance === undefined || count === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const isInRows = isAwaited || byId('list-rows').contains(document.activeElement); // keys do not wait for a row to be read
  const next = isInRows || Math.abs(distance) === Infinity ? current + distance : current;
  moveTo(Math.min(count - 1, Math.max(0, next)));
}

/** Puts the focus on the row that had it last. */
export function focusCurrentRow(): void {
  if (pages) moveTo(current);
}

function moveTo(position: number): void {
  const before = list?.row(current)?.querySelector('button');
  if (before) before.tabIndex = -1;
  current = position;
  const row = list?.reveal(position);
  const button = row?.querySelector('button');
  isAwaited = !button;
  if (button) {
    button.tabIndex = 0;
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: 'nearest', inline: 'nearest' }); // in the box it is; now in the window, too
  } else byId('list-box').focus({ preventScroll: true }); // its patient is being read
}

function openAt(position: number): void {
  const patient = pages?.at(position);
  if (!patient) return;
  const before = list?.row(current)?.querySelector('button');
  if (before) before.tabIndex = -1;
  current = position;
  const button = list?.row(position)?.querySelector('button');
  if (button) button.tabIndex = 0;
  button?.focus({ preventScroll: true });
  openPatient(patient, dates);
}

/** `1,234 patients`. */
export const patientsText = (count: number): string => `${words.number(count)} ${count === 1 ? 'patient' : 'patients'}`;
