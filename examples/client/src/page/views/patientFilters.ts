/** What a list of patients is narrowed to: a practitioner, and the sync whose result it is. */

import { changesHref, type ListRoute } from '../address';
import { byId, element, say, show } from '../dom';
import { page, words } from '../page';
import type { About } from '../patients/pages';

/** In place of the id of a sync: reads more of them. */
export const EARLIER = '+';

/** The id of the newest completed sync; empty if there is none. */
export const newest = (): string => page.view.overview?.lastSuccessfulSync?.syncId ?? '';

/** Offers the newest sync, and those of the history that are likely kept. `held`: the one that is shown. */
export function renderAsOf(route: ListRoute, held: string, about: About | null): void {
  const last = page.view.overview?.lastSuccessfulSync;
  const syncs = (page.view.history?.syncs ?? []).filter(({ status, syncId }) => status === 'COMPLETED' && syncId !== last?.syncId);
  show('list-since', route.asOf !== '' && newest() !== '' && route.asOf !== newest());
  byId<HTMLAnchorElement>('list-since').href = changesHref({ sync: newest(), since: route.asOf });
  const isBehind = route.asOf === '' && held !== '' && newest() !== '' && held !== newest();
  const shownAt = isBehind ? timeOfSync(held, about) : (last?.completedAt ?? '');
  const options: [string, string][] = [
    ['', shownAt ? `${isBehind ? 'Not the newest' : 'Newest'}: ${words.dayAndTime(shownAt)}` : 'Newest'],
    ...syncs.map(({ syncId, completedAt, startedAt }): [string, string] => [syncId, `As of ${words.dayAndTime(completedAt ?? startedAt)}`]),
  ];
  if (route.asOf && !options.some(([id]) => id === route.asOf)) {
    const [at, sync] = [timeOfSync(route.asOf, about), last?.syncId === route.asOf ? ', the newest' : ''];
    options.push([route.asOf, at ? `As of ${words.dayAndTime(at)}${sync}` : 'As of the sync in the address']);
  }
  if (page.view.history?.nextCursor) options.push([EARLIER, 'Earlier syncs…']);
  setOptions('list-as-of', options, route.asOf);
}

// The time of a sync that the history has, or of the list that is shown of it; empty while it is not known.
function timeOfSync(syncId: string, about: About | null): string {
  const sync = page.view.history?.syncs.find((one) => one.syncId === syncId);
  return sync?.completedAt ?? (about?.asOf === syncId ? about.analyzedAt : '');
}

/** Reads more of the history, whose syncs can be chosen then. */
export async function offerEarlier(): Promise<void> {
  byId<HTMLSelectElement>('list-as-of').value = page.route.list?.asOf ?? '';
  await page.client?.loadMoreHistory();
  say('Earlier syncs can be chosen now.');
}

/** Offers the practitioners of the list. Those of the same name have their id. */
export function renderPractitioners(route: ListRoute, about: About | null): void {
  const found = about?.practitioners ?? [];
  const isShared = (name: string): boolean => found.filter((one) => one.name === name).length > 1;
  const options = found.map(({ id, name }): [string, string] => [id, !name ? `Practitioner ${id}` : isShared(name) ? `${name} (${id})` : name]);
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

/** Why a filtered list is empty, and what to do. */
export function filteredText(route: ListRoute, wanted: string): string {
  const name = byId<HTMLSelectElement>('list-practitioner').selectedOptions[0]?.textContent ?? 'this practitioner';
  if (!wanted) return `No patient of this list has the last or next appointment with ${name}. Choose another practitioner, or another list.`;
  const who = route.practitioner ? ` with ${name}` : '';
  return `No patient of this list${who} matches “${wanted}”. Names, e-mail addresses and phone numbers are searched; another list may have the patient.`;
}
