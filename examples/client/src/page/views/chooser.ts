/** The organizations that the viewer may see, if they are several: name, state and last success, with a search. */

import { ReadOrganizationsDocument, type ReadOrganizationsQuery } from '../../core/gql/graphql';
import { statusTone } from '../../words';
import { organizationHref } from '../address';
import { badge, byId, element, setText, show, tone } from '../dom';
import { page, words } from '../page';
import { requests } from '../requests';

type Summary = ReadOrganizationsQuery['organizations']['organizations'][number];

const TYPING_MS = 200;

let cursor: string | null = null;
let asked = 0;
let typing: ReturnType<typeof setTimeout> | undefined;

export function buildChooser(): void {
  byId('chooser-search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => void load(false), TYPING_MS);
  });
  byId('chooser-more').addEventListener('click', () => void load(true));
}

const search = (): string => byId<HTMLInputElement>('chooser-search').value.trim();

/** Shows the organizations, if there is any beside the one that is shown. */
export const offerOrganizations = (): Promise<void> => load(false);

async function load(isMore: boolean): Promise<void> {
  asked += 1;
  const mine = asked;
  const wanted = search();
  let found: ReadOrganizationsQuery['organizations'];
  try {
    const answer = await requests().ask(ReadOrganizationsDocument, { after: isMore ? cursor : null, search: wanted || null });
    found = answer.organizations;
  } catch {
    return; // the form below takes an id, and says what is wrong
  }
  if (mine !== asked) return; // something else was typed since
  cursor = found.nextCursor;
  const items = found.organizations.map(itemOf);
  const list = byId('chooser-list');
  if (isMore) list.append(...items);
  else list.replaceChildren(...items);
  show('chooser-more', cursor !== null);
  if (!wanted && !isMore) show('chooser', found.organizations.some(({ organizationId }) => organizationId !== page.place.organization));
  const count = `${words.number(list.children.length)}${cursor ? ' or more' : ''}`;
  setText('chooser-note', list.children.length ? (wanted ? `${count} found.` : '') : `No organization has “${wanted}” in its name or id.`);
}

function itemOf(one: Summary): HTMLLIElement {
  const isRunning = one.status !== 'IDLE';
  const state = isRunning ? words.name(one.status) : one.connectionState ? words.name(one.connectionState) : words.say('notConnected');
  const color = isRunning ? statusTone(one.status) : one.connectionState === 'CONNECTED' ? 'green' : 'amber';
  const { isLate } = words.freshness(one.freshness, null, Date.now() - page.view.clockOffset);
  const last = one.lastSuccessfulSyncAt ? words.say('lastSuccess', { time: words.dayAndTime(one.lastSuccessfulSyncAt) }) : words.say('neverChecked');
  const age = element('span', { className: 'small age', textContent: last });
  tone(age, isLate ? 'amber' : 'grey');
  const name = element('span', { className: 'name', textContent: one.name || one.organizationId });
  const parts = [name, ...(one.name ? [element('code', { textContent: one.organizationId })] : [])];
  const link = element('a', { href: organizationHref(one.organizationId) }, element('span', { className: 'who' }, ...parts), badge(state, color), age);
  if (one.organizationId === page.place.organization) link.setAttribute('aria-current', 'page');
  return element('li', {}, link);
}
