/** The patients that a sync has changed, or that differ between two syncs: who, what, and why. */

import { Missing, mayPass } from '../../core/errors';
import { type ChangesRoute, hrefOf } from '../address';
import { badge, byId, element, setText, show } from '../dom';
import { moveFocus } from '../focus';
import { page, words } from '../page';
import { type ClinicDates, clinicDates } from '../patients/dates';
import { type ChangeFragment, ReadChangesDocument } from '../patients/gql/graphql';
import { CHANGE_KINDS } from '../patients/kinds';
import { renderSoon } from '../render';
import { requests } from '../requests';
import { sentenceOf } from '../sentences';
import { closePatient, openPatient } from './patientDetails';

/** What was read of one comparison. */
interface Comparison {
  route: ChangesRoute;
  changes: ChangeFragment[];
  /** Where the next page begins; null if there is none. */
  next: string | null;
  isBaseline: boolean;
  isReading: boolean;
  problem: unknown;
  dates: ClinicDates | null;
}

let shown: Comparison | null = null;
let rendered = 0; // how many changes are in the document
let client: unknown = null; // whose changes they are

/** Adds what the buttons do, once. */
export function buildChanges(): void {
  byId('changes-more').addEventListener('click', () => void showMore());
  byId('changes-retry').addEventListener('click', () => void read());
}

/** Opens the comparison of the address, or closes it. */
export function openChanges(route: ChangesRoute | null): void {
  show('changes-view', route !== null);
  byId('main').classList.toggle('is-comparing', route !== null);
  if (route && shown && shown.route.sync === route.sync && shown.route.since === route.since) return;
  if (shown) closePatient();
  byId('changes-list').replaceChildren();
  rendered = 0;
  shown = route && { route, changes: [], next: null, isBaseline: false, isReading: false, problem: null, dates: null };
  for (const name of ['changes-back', 'changes-leave']) byId<HTMLAnchorElement>(name).href = hrefOf('');
  if (page.client) void read();
}

async function showMore(): Promise<void> {
  const before = rendered;
  await read();
  renderChanges();
  const first = byId('changes-list').children[before]?.querySelector<HTMLElement>('button, .name');
  if (first && byId('changes-more').hidden) moveFocus(first);
}

async function read(): Promise<void> {
  const mine = shown;
  if (!mine || mine.isReading) return;
  client = page.client;
  Object.assign(mine, { isReading: true, problem: null });
  renderSoon();
  const { sync: syncId, since } = mine.route;
  const isFirst = mine.dates === null;
  try {
    const asked = { organizationId: page.place.organization, syncId, since: since || null, after: mine.next, isFirst };
    const { syncChanges, patients } = await requests().ask(ReadChangesDocument, asked);
    mine.changes.push(...syncChanges.nodes);
    mine.next = syncChanges.pageInfo.hasNextPage ? syncChanges.pageInfo.endCursor : null;
    mine.isBaseline = syncChanges.isBaseline;
    if (patients) mine.dates = clinicDates(patients.timeZone, patients.analyzedAt);
  } catch (error) {
    mine.problem = error;
  }
  mine.isReading = false;
  renderSoon();
}

/** Shows what has come. */
export function renderChanges(): void {
  if (!shown) return;
  if (client !== page.client) {
    const { route } = shown;
    shown = null;
    openChanges(route); // of another person or organization
    return;
  }
  const { route, changes, next, isBaseline, isReading, problem } = shown;
  const title = route.since ? `Changed patients from ${timeOf(route.since)} to ${timeOf(route.sync)}` : `Patients changed by the sync of ${timeOf(route.sync)}`;
  setText('changes-title', problem instanceof Missing ? 'This sync is not known here' : title);
  const count = `${words.number(changes.length)}${next ? ' or more' : ''} ${changes.length === 1 ? 'patient' : 'patients'}.`;
  const none = isBaseline ? 'This was a first sync of this kind: changes are counted from the next one.' : 'No patient has changed.';
  setText('changes-note', isReading && !changes.length ? 'Reading the changes…' : problem ? '' : changes.length ? count : none);
  show('changes-problem', problem !== null);
  // What the address asks for stays wrong: then the way out is to the syncs that there are.
  const hint = ' Choose another sync: the dashboard lists them.';
  const sentence = problem === null ? '' : sentenceOf(problem);
  setText('changes-problem-text', sentence + (mayPass(problem) ? '' : hint));
  show('changes-retry', mayPass(problem));
  show('changes-leave', !mayPass(problem));
  show('changes-more', next !== null && problem === null);
  byId('changes-list').append(...changes.slice(rendered).map(itemOf));
  rendered = changes.length;
}

// The time in the id of a sync, as far as the history does not know better.
function timeOf(syncId: string): string {
  const known = page.view.history?.syncs.find((sync) => sync.syncId === syncId);
  const [, year, month, day, hour, minute, second] = /_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)(?:_\d+)?$/.exec(syncId) ?? [];
  const time = known?.startedAt ?? (year ? `${year}-${month}-${day}T${hour}:${minute}:${second}Z` : '');
  return Number.isNaN(Date.parse(time)) ? syncId : words.dayAndTime(time);
}

function itemOf({ patientId, name, kinds, sentence, patient }: ChangeFragment): HTMLLIElement {
  const who = patient ? element('button', { type: 'button', className: 'plain', textContent: name }) : element('span', { className: 'name', textContent: name });
  who.addEventListener('click', () => {
    if (patient && shown?.dates) openPatient({ id: patientId, name }, shown.dates, () => who.focus());
  });
  const badges = element('span', { className: 'kinds' }, ...kinds.map((kind) => badge(...CHANGE_KINDS[kind])));
  return element('li', {}, element('span', {}, who), badges, element('span', { textContent: sentence }));
}
