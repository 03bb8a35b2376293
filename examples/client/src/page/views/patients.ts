/** The patients of the newest completed sync on the dashboard: each figure leads to its list. */

import { changesHref, filledIn, listHref } from '../address';
import { byId, element, inside, setText, show } from '../dom';
import { isLive } from '../live/mode';
import { page, words } from '../page';
import { type ChangeCounts, type Counts, countsAt } from '../patients/counts';
import { LISTS, type PatientList, titleOf } from '../patients/lists';

/** Lists that have a place of their own on the card; the others are work to do. */
const FIGURES: readonly PatientList[] = ['ALL', 'ACTIVE', 'RECENT', 'UPCOMING'];

export function renderPatients(): void {
  const { overview } = page.view;
  show('patients', overview !== null);
  if (!overview) return;
  const stats = overview.patientStats;
  const [recentDays, upcomingDays] = filledIn('windows').split(' ');
  const hasAny = stats.lastSyncTime !== null;
  renderFigure(hasAny, stats, recentDays, upcomingDays);
  byId('as-of-row').hidden = !hasAny;
  byId('share').style.width = `${hasAny && stats.patientsInCliniko ? (100 * stats.activePatients) / stats.patientsInCliniko : 0}%`;
  setText('recent-label', recentDays ? `Seen in the last ${recentDays} days` : 'Seen recently');
  setText('upcoming-label', upcomingDays ? `Booked in the next ${upcomingDays} days` : 'Booked soon');
  setFigure(byId('recent'), hasAny ? words.number(stats.patientsWithRecent) : '–', 'RECENT');
  setFigure(byId('upcoming'), hasAny ? words.number(stats.patientsWithUpcoming) : '–', 'UPCOMING');
  setText('as-of', stats.lastSyncTime ? words.dayAndTime(stats.lastSyncTime) : '–');
  show('keeps-window', filledIn('keeps-window') !== '');
  setText('kept-window', recentDays ? `from ${recentDays} days ago to ${upcomingDays} days ahead` : 'of recent and coming days');
  renderWork();
  renderChanged();
}

/** Whether the lists of the newest completed sync can be read: it made them, and the viewer may read patients. */
export const hasLists = (): boolean => newestLists().lists.length > 0;

// Those of the newest completed sync. Until they are read, those shown before: a link or a number that goes for a moment
// would make the card restless.
let shownLists: { client: unknown; counts: Counts } | null = null;
function newestLists(): Counts {
  const counts = countsAt(page.view.overview?.lastSuccessfulSync?.syncId ?? '');
  const isRead = counts.lists.length > 0 || counts.problem !== null;
  if (isRead || shownLists?.client !== page.client) shownLists = { client: page.client, counts };
  return shownLists.counts;
}

/** Writes a figure, as a link to its list where the list can be read; with `asOf`, to that of an earlier sync. */
export function setFigure(target: HTMLElement, text: string, list: PatientList | null, asOf = ''): void {
  const href = list !== null && hasLists() ? listHref({ list, asOf }) : '';
  const link = target.querySelector('a');
  if (target.textContent === text && (link?.getAttribute('href') ?? '') === href) return;
  const hadFocus = link !== null && link === document.activeElement;
  const made = href ? inside(href, text) : null;
  target.replaceChildren(made ?? text);
  if (hadFocus) made?.focus();
}

// The lists of patients to call, with their numbers; or why there are none.
function renderWork(): void {
  const { lists, problem } = newestLists();
  const isComing = lists.length === 0 && problem === null && page.view.overview?.lastSuccessfulSync != null;
  const shown = isComing ? LISTS.map((list) => ({ list, title: titleOf(list), counting: '', totalCount: null })) : lists;
  const work = shown.filter(({ list }) => !FIGURES.includes(list));
  show('work-title', work.length > 0);
  setText('work-problem', problem ?? '');
  const target = byId('work');
  const text = JSON.stringify([location.search, work]);
  if (target.dataset['shown'] === text) return;
  target.dataset['shown'] = text;
  const focused = document.activeElement instanceof HTMLAnchorElement && target.contains(document.activeElement) ? document.activeElement.href : '';
  target.replaceChildren(
    ...work.flatMap(({ list, title, counting, totalCount }) => [
      element('dt', {}, totalCount === null ? title : inside(listHref({ list }), title, { title: counting })),
      element('dd', {}, totalCount === null ? '–' : inside(listHref({ list }), words.number(totalCount), { tabIndex: -1 })),
    ]),
  );
  if (focused) [...target.querySelectorAll('a')].find(({ href }) => href === focused)?.focus();
}

// What the newest completed sync has changed: `Last sync: +2 active, −1`.
function renderChanged(): void {
  const changes = isLive() || newestLists().isForbidden ? null : newestLists().changes;
  const sync = page.view.overview?.lastSuccessfulSync?.syncId ?? '';
  show('changed', changes !== null);
  if (!changes) return;
  const link = byId<HTMLAnchorElement>('changed-link');
  const href = changesHref({ sync, since: '' });
  if (link.getAttribute('href') !== href) link.href = href;
  setText(link, changedText(changes));
}

/** Such as `+2 active, −1`. */
export function changedText({ patients, becameActive, becameInactive }: ChangeCounts): string {
  const gone = becameInactive ? `−${words.number(becameInactive)}` : '';
  if (becameActive) return `+${words.number(becameActive)} active${gone && `, ${gone}`}`;
  if (gone) return `${gone} active`;
  if (!patients) return 'no patient changed';
  return `${words.number(patients)} ${patients === 1 ? 'patient' : 'patients'} changed`;
}

function renderFigure(
  hasAny: boolean,
  stats: { activePatients: number; patientsInCliniko: number },
  recentDays: string | undefined,
  upcomingDays: string | undefined,
): void {
  const within = !recentDays
    ? 'seen recently or booked soon'
    : recentDays === upcomingDays
      ? `seen or booked within ${recentDays} days`
      : `seen within ${recentDays} or booked within ${upcomingDays} days`;
  const figure = byId('patients-figure');
  figure.classList.toggle('muted', !hasAny);
  show('figure-known', hasAny);
  setText('figure-unknown', hasAny ? '' : 'Known after the first completed sync.');
  setFigure(byId('figure-active'), words.number(stats.activePatients), 'ACTIVE');
  setFigure(byId('figure-all'), words.number(stats.patientsInCliniko), 'ALL');
  setText('figure-within', within);
}
