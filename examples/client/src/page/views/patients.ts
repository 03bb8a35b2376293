/** The patients that the newest completed sync has stored, and how many of them are active. */

import { filledIn } from '../address';
import { byId, element, setText, show } from '../dom';
import { page, words } from '../page';

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
  setText('recent', hasAny ? words.number(stats.patientsWithRecent) : '–');
  setText('upcoming', hasAny ? words.number(stats.patientsWithUpcoming) : '–');
  setText('as-of', stats.lastSyncTime ? words.dayAndTime(stats.lastSyncTime) : '–');
  show('keeps-window', filledIn('keeps-window') !== '');
  setText('kept-window', recentDays ? `from ${recentDays} days ago to ${upcomingDays} days ahead` : 'of recent and coming days');
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
  const active = words.number(stats.activePatients);
  const rest = ` of ${words.number(stats.patientsInCliniko)} patients ${within}`;
  const text = hasAny ? active + rest : 'Known after the first completed sync.';
  const figure = byId('patients-figure');
  if (figure.textContent !== text) figure.replaceChildren(...(hasAny ? [element('b', { textContent: active }), rest] : [text]));
  figure.classList.toggle('muted', !hasAny);
}
