/** A list of patients, whole: tabs with counts, search, filters, order, columns, and how the list is counted. */

import { hrefOf, listHref, type ListRoute } from '../address';
import { byId, element, inside, say, setText, show } from '../dom';
import { buildMenu } from '../menu';
import { isLive } from '../live/mode';
import { page, words } from '../page';
import { chooseColumns, chosenColumns, COLUMNS } from '../patients/columns';
import { countAt, countsAt, forgetCounts, retryCounts } from '../patients/counts';
import { emptyText, LISTS, type PatientList, SORT_WORDS, SORTS, titleOf } from '../patients/lists';
import { PatientPages } from '../patients/pages';
import { keepPlaceSoon, keptPlace, type RowsPlace } from '../patients/place';
import { renderSoon } from '../render';
import { requests } from '../requests';
import type { Navigate } from '../routing';
import { closePatient, openPatient } from './patientDetails';
import { EARLIER, filteredText, newest, offerEarlier, renderAsOf, renderPractitioners } from './patientFilters';
import { buildPatientExport } from './patientExport';
import {
  buildPatientRows,
  clearPatientRows,
  focusCurrentRow,
  markChangedRows,
  patientsText,
  placeInRows,
  renewRows,
  returnToRows,
  showPatientRows,
} from './patientRows';

const TYPING_MS = 200;
const TABS_MARGIN_PX = 40; // of the tab before, so that one sees there is one

let pages: PatientPages | null = null; // what is shown
let coming: PatientPages | null = null; // what is shown next, once it has come
let held = ''; // the sync that the list stays on until a person asks for a newer one
let client: unknown = null; // whose patients are shown
let asOf: string | null = null; // of the address that is shown; null while no list is open
let typing: ReturnType<typeof setTimeout> | undefined;
let returning: RowsPlace | null = null; // where a person left the list that comes

const search = (): string => byId<HTMLInputElement>('patient-search').value.trim();

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
    typing = setTimeout(() => load(), TYPING_MS);
  });
  const onChange = (id: string, change: (value: string) => void): void => {
    byId(id).addEventListener('change', () => change(byId<HTMLSelectElement>(id).value));
  };
  byId('list-sort').append(...SORTS.map((sort) => element('option', { value: sort, textContent: SORT_WORDS[sort] })));
  onChange('list-sort', (sort) => go({ sort: SORTS.find((one) => one === sort) ?? 'NAME' }));
  onChange('list-practitioner', (practitioner) => go({ practitioner }));
  onChange('list-as-of', (asOf) => (asOf === EARLIER ? void offerEarlier() : go({ asOf })));
  byId('list-newest').addEventListener('click', () => {
    held = '';
    load();
    byId('list-title').focus();
  });
  byId('list-leave-as-of').addEventListener('click', () => {
    go({ asOf: '' });
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
function load(isFollow = false): void {
  clearTimeout(typing);
  isFollowing = isFollow;
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
    if (!isFollowing) announceCount(found);
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
  takeNewest(route);
  markChangedRows();
  renderTabs(route);
  renderAsOf(route, held, pages?.about ?? null);
  renderPractitioners(route, pages?.about ?? null);
  renderState(route);
}

// A list that nobody has scrolled, searched or focused follows the newest sync. Any other one stays as it is being read.
let taken = '';
let isFollowing = false; // whether the list that comes is that of a live change, which is announced by itself
function takeNewest(route: ListRoute): void {
  if (route.asOf !== '' || held === '' || newest() === '' || newest() === held || coming || taken === newest()) return;
  const isRead = byId('list-box').scrollTop > 0 || scrollY > 0 || search() !== '' || byId<HTMLDialogElement>('patient').open;
  if (isRead || !isNewestCounted() || byId('list-card').matches(':has(:focus:not(#list-title))')) return;
  taken = newest();
  held = '';
  load(isLive());
}

// Numbers and rows change together.
function isNewestCounted(): boolean {
  const { lists, problem } = countsAt(newest());
  return lists.length > 0 || problem !== null;
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
    const [title, count] = [found?.title ?? titleOf(list), found ? words.number(found.totalCount) : ''];
    if (link.textContent !== `${title} ${count}`) link.replaceChildren(title, ' ', element('b', { textContent: count }));
    if (list === route.list) {
      if (!link.hasAttribute('aria-current')) tabs.scrollLeft = link.offsetLeft - tabs.offsetLeft - TABS_MARGIN_PX; // on phones they scroll
      link.setAttribute('aria-current', 'page');
    } else link.removeAttribute('aria-current');
  });
  setText('list-counting', summary?.counting ?? countsAt(held).problem ?? 'Reading how it is counted…');
}

// How many there are; or what is wrong, and what to do.
function renderState(route: ListRoute): void {
  const about = pages?.about ?? null;
  const problem = pages?.problem ?? null;
  const isNewerThere = route.asOf === '' && held !== '' && newest() !== '' && newest() !== held && !coming && isNewestCounted();
  show('list-newer', isNewerThere);
  if (isNewerThere) setText('list-newer-text', newerText(route.list));
  setText('list-wrong-text', route.wrong ?? '');
  show('list-wrong', Boolean(route.wrong));
  show('list-problem', problem !== null);
  const canStart = page.view.overview?.syncAvailable === true;
  const { isForbidden: isRefused, problem: refusal } = countsAt(newest());
  const before = problem && route.asOf ? 'The list as of the sync in the address can’t be shown. ' : '';
  setText('list-problem-text', (isRefused && refusal) || before + (problem ?? ''));
  show('list-start', problem !== null && about === null && canStart && !isRefused && route.asOf === '');
  show('list-leave-as-of', problem !== null && about === null && route.asOf !== '');
  // What the address asks for stays wrong. A list that was shown may be read anew.
  show('list-retry', !isRefused && (about !== null || pages?.mayPass !== false));
  const wanted = pages?.query.search ?? '';
  const isFiltered = wanted !== '' || route.practitioner !== '';
  const whole = countsAt(held).lists.find(({ list }) => list === route.list)?.totalCount;
  const count = about ? patientsText(about.totalCount) : '';
  const of = isFiltered && whole !== undefined ? ` of ${words.number(whole)}` : '';
  const zone = about ? ` Times are those of the clinic (${about.timeZone.replaceAll('_', ' ')}).` : '';
  const isEmpty = about?.totalCount === 0;
  const isWaiting = (coming !== null && !about) || (!about && !problem);
  setText('list-note', isWaiting ? 'Reading the list…' : about && !isEmpty ? `${count}${of}.${zone}` : '');
  byId('list-card').setAttribute('aria-busy', String(coming !== null));
  show('list-box', about !== null && !isEmpty);
  show('list-empty', isEmpty);
  show('list-clear', isEmpty && isFiltered);
  if (isEmpty) setText('list-empty-text', isFiltered ? filteredText(route, wanted) : emptyText(route.list));
}

// What a newer sync has made of the list, as far as it is known.
function newerText(list: PatientList): string {
  const [before, after] = [countAt(held, list), countAt(newest(), list)];
  if (before === null || after === null) return 'The list has changed: a newer sync has finished.';
  if (before === after) return `A newer sync has finished. It also has ${patientsText(after)} in this list, perhaps others.`;
  return `The list has changed: it has ${patientsText(after)} now, and had ${words.number(before)}.`;
}
