/** A list of patients, whole: tabs with counts, search, filters, order, columns, and how the list is counted. */

import { changesHref, hrefOf, listHref, type ListRoute } from '../address';
import { byId, element, inside, say, setText, show } from '../dom';
import { buildMenu } from '../menu';
import { page, words } from '../page';
import { chooseColumns, chosenColumns, COLUMNS } from '../patients/columns';
import { countsAt, forgetCounts, retryCounts } from '../patients/counts';
import { emptyText, LISTS, SORT_WORDS, SORTS, titleOf } from '../patients/lists';
import { PatientPages } from '../patients/pages';
import { keepPlaceSoon, keptPlace, type RowsPlace } from '../patients/place';
import { renderSoon } from '../render';
import { requests } from '../requests';
import type { Navigate } from '../routing';
import { closePatient, openPatient } from './patientDetails';
import { buildPatientExport } from './patientExport';
import {
  buildPatientRows,
  clearPatientRows,
  focusCurrentRow,
  patientsText,
  placeInRows,
  renewRows,
  returnToRows,
  showPatientRows,
} from './patientRows';

const TYPING_MS = 200;

let pages: PatientPages | null = null; // what is shown
let coming: PatientPages | null = null; // what is shown next, once it has come
let held = ''; // the sync that the list stays on until a person asks for a newer one
let client: unknown = null; // whose patients are shown
let asOf: string | null = null; // of the address that is shown; null while no list is open
let typing: ReturnType<typeof setTimeout> | undefined;
let returning: RowsPlace | null = null; // where a person left the list that comes

const search = (): string => byId<HTMLInputElement>('patient-search').value.trim();
const newest = (): string => page.view.overview?.lastSuccessfulSync?.syncId ?? '';

/** Fills the controls, once. */
export function buildPatientList(navigate: Navigate): void {
  buildPatientRows(({ id, name }, dates) => {
    const then = id.startsWith('asof:') ? id : `asof:${held}:${id}`; // as of the sync of the list
    openPatient({ id: then, name }, dates, focusCurrentRow);
  }, () => keepPlaceSoon(placeToKeep));
  buildPatientExport(() => pages);
  const go = (part: Partial<ListRoute>): void => {
    if (page.route.list) navigate(listHref({ ...page.route.list, ...part }));
  };
  byId('patient-search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(load, TYPING_MS);
  });
  const onChange = (id: string, change: (value: string) => void): void => {
    byId(id).addEventListener('change', () => change(byId<HTMLSelectElement>(id).value));
  };
  byId('list-sort').append(...SORTS.map((sort) => element('option', { value: sort, textContent: SORT_WORDS[sort] })));
  onChange('list-sort', (sort) => go({ sort: SORTS.find((one) => one === sort) ?? 'NAME' }));
  onChange('list-practitioner', (practitioner) => go({ practitioner }));
  onChange('list-as-of', (asOf) => go({ asOf }));
  byId('list-newest').addEventListener('click', () => {
    held = '';
    load();
    byId('list-title').focus();
  });
  byId('list-retry').addEventListener('click', retry);
  byId('list-clear').addEventListener('click', clearFilters(go));
  byId('list-start').addEventListener('click', () => void page.client?.start());
  buildColumnChoice();
  document.addEventListener('keydown', searchBySlash);
}

function clearFilters(go: (part: Partial<ListRoute>) => void): () => void {
  return () => {
    byId<HTMLInputElement>('patient-search').value = '';
    byId('patient-search').focus();
    if (page.route.list?.practitioner) go({ practitioner: '' });
    else load();
  };
}

function searchBySlash(event: KeyboardEvent): void {
  const isTyping = (event.target as Element).matches('input:not([type=checkbox]), select, textarea');
  if (event.key !== '/' || isTyping || !page.route.list || byId<HTMLDialogElement>('patient').open) return;
  event.preventDefault();
  byId<HTMLInputElement>('patient-search').select();
}

function buildColumnChoice(): void {
  buildMenu('columns');
  const chosen = chosenColumns();
  byId('columns-menu').append(
    ...COLUMNS.map(({ id, title }) => {
      const box = element('input', { type: 'checkbox', value: id, checked: chosen.has(id) });
      box.addEventListener('change', () => {
        if (box.checked) chosen.add(id);
        else chosen.delete(id);
        chooseColumns(chosen);
        if (pages && page.route.list) showPatientRows(pages, page.route.list);
      });
      return element('label', {}, box, ` ${title}`);
    }),
  );
}

/** Opens the list of the address, or closes it. */
export function openList(route: ListRoute | null): void {
  show('list-view', route !== null);
  byId('main').classList.toggle('is-listing', route !== null);
  if (!route) {
    close();
    return;
  }
  if (asOf !== route.asOf) held = route.asOf;
  returning = keptPlace();
  asOf = route.asOf;
  byId<HTMLAnchorElement>('list-back').href = hrefOf('');
  setText('list-title', titleOf(route.list));
  byId<HTMLSelectElement>('list-sort').value = route.sort;
  load();
}

function close(): void {
  if (asOf === null) return;
  asOf = null;
  pages?.close();
  coming?.close();
  pages = coming = null;
  held = '';
  byId<HTMLInputElement>('patient-search').value = '';
  clearPatientRows();
  closePatient();
}

// Reads the list of the address with what is typed. What is shown stays until it has come.
function load(): void {
  clearTimeout(typing);
  const { list: route, organization } = { ...page.route, organization: page.place.organization };
  if (!route || !page.client) return;
  coming?.close();
  if (client !== page.client) clearPatientRows();
  client = page.client;
  const query = { organizationId: organization, list: route.list, search: search() || null, practitionerId: route.practitioner || null, sort: route.sort };
  const mine: PatientPages = new PatientPages(query, held || null, requests, (from, to) => take(mine, from, to));
  coming = mine;
  renderSoon();
  void mine.open();
}

function take(found: PatientPages, from: number, to: number): void {
  const { list: route } = page.route;
  if (!route) return;
  if (found === coming && (found.about ?? found.problem)) {
    pages?.close();
    pages = found;
    coming = null;
    if (found.about) held = found.about.asOf;
    showPatientRows(found, route);
    if (found.about && returning) returnToRows(returning);
    if (found.about) returning = null;
    announceCount(found);
  } else if (found === pages) renewRows(from, to);
  renderSoon();
}

// What is searched for is personal and stays in no history, so neither does the place in what was found.
function placeToKeep(): RowsPlace | null | undefined {
  if (!pages?.about || !page.route.list || coming) return undefined;
  return pages.query.search ? null : placeInRows();
}

function announceCount({ about }: PatientPages): void {
  if (about) say(`${titleOf(page.route.list?.list ?? 'ACTIVE')}: ${patientsText(about.totalCount)}.`);
}

function retry(): void {
  retryCounts();
  if (pages?.about && !pages.isOutdated) pages.retry();
  else {
    if (!page.route.list?.asOf) held = '';
    load();
  }
  renderSoon();
}

/** Shows what has changed around the rows. */
export function renderPatientList(): void {
  const { list: route } = page.route;
  if (!route) return;
  if (client !== page.client || (page.view.overview === null && page.view.needsToken !== null)) {
    forgetCounts();
    closePatient();
    if (page.client && page.view.needsToken === null) load();
    else clearPatientRows();
  }
  if (pages?.problem && !pages.about && page.view.connection === 'live' && newest() !== triedFor) retryForNewest();
  renderTabs(route);
  renderAsOf(route);
  renderPractitioners(route);
  renderState(route);
}

// A list that could not be read is read again for a newer sync, which may have made it.
let triedFor = '';
function retryForNewest(): void {
  const isFirst = triedFor === '';
  triedFor = newest();
  if (!isFirst) retry();
}

function renderTabs(route: ListRoute): void {
  const { lists } = countsAt(held);
  const summary = lists.find(({ list }) => list === route.list);
  const tabs = byId('list-tabs');
  if (!tabs.children.length) tabs.append(...LISTS.map(() => inside('', '')));
  LISTS.forEach((list, index) => {
    const link = tabs.children[index] as HTMLAnchorElement;
    const found = lists.find((one) => one.list === list);
    const href = listHref({ ...route, list, asOf: route.asOf });
    if (link.getAttribute('href') !== href) link.href = href;
    const text = `${found?.title ?? titleOf(list)}${found ? ` ${words.number(found.totalCount)}` : ''}`;
    if (link.textContent !== text) {
      link.replaceChildren(found?.title ?? titleOf(list), ...(found ? [' ', element('b', { textContent: words.number(found.totalCount) })] : []));
    }
    if (list === route.list) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  });
  setText('list-counting', summary?.counting ?? '');
  show('list-rule', summary !== undefined);
}

// The newest sync, and those of the history that are likely kept.
function renderAsOf(route: ListRoute): void {
  const last = page.view.overview?.lastSuccessfulSync;
  const syncs = (page.view.history?.syncs ?? []).filter(({ status, syncId }) => status === 'COMPLETED' && syncId !== last?.syncId);
  show('list-since', route.asOf !== '' && newest() !== '' && route.asOf !== newest());
  byId<HTMLAnchorElement>('list-since').href = changesHref({ sync: newest(), since: route.asOf });
  const options: [string, string][] = [
    ['', last?.completedAt ? `Newest: ${words.dayAndTime(last.completedAt)}` : 'Newest'],
    ...syncs.map(({ syncId, completedAt, startedAt }): [string, string] => [syncId, `As of ${words.dayAndTime(completedAt ?? startedAt)}`]),
  ];
  if (route.asOf && !options.some(([id]) => id === route.asOf)) options.push([route.asOf, 'As of the sync in the address']);
  setOptions('list-as-of', options, route.asOf);
}

function renderPractitioners(route: ListRoute): void {
  const found = pages?.about?.practitioners ?? [];
  const options = found.map(({ id, name }): [string, string] => [id, name ?? `Practitioner ${id}`]);
  if (route.practitioner && !options.some(([id]) => id === route.practitioner)) options.push([route.practitioner, `Practitioner ${route.practitioner}`]);
  setOptions('list-practitioner', [['', 'All practitioners'], ...options], route.practitioner);
}

function setOptions(id: string, options: readonly [string, string][], value: string): void {
  const target = byId<HTMLSelectElement>(id);
  const text = JSON.stringify(options);
  if (target.dataset['options'] !== text) {
    target.dataset['options'] = text;
    target.replaceChildren(...options.map(([one, name]) => element('option', { value: one, textContent: name })));
  }
  if (target.value !== value) target.value = value;
}

// How many there are; or what is wrong, and what to do.
function renderState(route: ListRoute): void {
  const about = pages?.about ?? null;
  const problem = pages?.problem ?? null;
  const isNewerThere = route.asOf === '' && held !== '' && newest() !== '' && newest() !== held;
  show('list-newer', isNewerThere);
  show('list-problem', problem !== null);
  setText('list-problem-text', problem ?? '');
  const canStart = page.view.overview?.syncAvailable === true;
  show('list-start', problem !== null && about === null && canStart);
  const wanted = pages?.query.search ?? '';
  const isFiltered = wanted !== '' || route.practitioner !== '';
  const whole = countsAt(held).lists.find(({ list }) => list === route.list)?.totalCount;
  const count = about ? patientsText(about.totalCount) : '';
  const of = isFiltered && whole !== undefined ? ` of ${words.number(whole)}` : '';
  const zone = about ? ` Times are those of the clinic (${about.timeZone.replaceAll('_', ' ')}).` : '';
  const isEmpty = about?.totalCount === 0;
  setText('list-note', coming && !about ? 'Reading the list…' : about && !isEmpty ? `${count}${of}.${zone}` : '');
  byId('list-card').setAttribute('aria-busy', String(coming !== null));
  show('list-box', about !== null && !isEmpty);
  show('list-empty', isEmpty);
  show('list-clear', isEmpty && isFiltered);
  if (isEmpty) setText('list-empty-text', isFiltered ? filteredText(route, wanted) : emptyText(route.list));
}

function filteredText(route: ListRoute, wanted: string): string {
  const sought = wanted ? ` matches “${wanted}”` : ' is here';
  const who = route.practitioner ? ' with this practitioner' : '';
  return `No patient of this list${who}${sought}. Names, e-mail addresses and phone numbers are searched; another list may have the patient.`;
}
