/**
 * Where things are: the server that is asked, the organization and the sync in the address, and the values that a Routiq
 * server has filled in. The token of a link is taken out of the address at once.
 */

import { LISTS, type PatientList, type PatientSort, SORTS } from './patients/lists';

/** What a Routiq server wrote into the page; empty if it did not. */
export const filledIn = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name=routiq-${name}]`)?.content ?? '';

/** By a Routiq server, which is then the one that is asked. */
export const IS_SERVED = filledIn('server') !== '';

const DEFAULT_API = 'http://localhost:8000/api/v1';

/** What a server shows lies beside the page, also where a proxy puts the whole server under a path such as /routiq/. */
export const beside = (path: string): URL => new URL(path.replace(/^\/+/, ''), new URL('.', location.href));

/** Whose syncs are shown, and from which server. */
export interface Place {
  organization: string;
  api: string;
  graphql: string;
}

/** Throws a TypeError for what is no web address, and an Error with a sentence for one of another kind. */
export function placeOf(organization: string, api: string): Place {
  const given = new URLSearchParams(location.search);
  const base = IS_SERVED ? beside('api/v1') : new URL(api || DEFAULT_API);
  if (!/^https?:$/.test(base.protocol)) throw new Error('The API address must start with http or https.');
  if (base.pathname === '/') base.pathname = '/api/v1';
  const graphql = IS_SERVED
    ? beside('graphql')
    : new URL(given.get('graphql') || base.pathname.replace(/(\/api\/v1)?\/*$/, '/graphql'), base.origin);
  if (!/^https?:$/.test(graphql.protocol)) throw new Error('The GraphQL address must start with http or https.');
  return { organization, api: base.origin + base.pathname.replace(/\/+$/, ''), graphql: graphql.href };
}

/** The token of a link, which leaves the address at once. */
export function takeToken(): string {
  const parts = location.hash.slice(1).split('&');
  const found = parts.find((part) => part.startsWith('token='));
  if (!found) return '';
  const others = parts.filter((part) => part !== found).join('&');
  history.replaceState(history.state, '', location.pathname + location.search + (others && `#${others}`));
  return new URLSearchParams(found).get('token') ?? '';
}

/** What the dashboard's own address has none of. */
export const VIEW_PARAMETERS = ['sync', 'list', 'sort', 'practitioner', 'asOf', 'changes', 'since'];

/** What is opened: an organization, perhaps one of its syncs or one of its lists of patients. */
export interface Route {
  organization: string;
  sync: string;
  /** The number of a log line; 0 for none. */
  line: number;
  /** A list of patients; null for none. */
  list: ListRoute | null;
  /** The changes of a sync, or since an earlier one; null for none. */
  changes: ChangesRoute | null;
}

/** The patients that a sync has changed, or with `since` those that differ between two syncs. */
export interface ChangesRoute {
  sync: string;
  /** The id of an earlier sync; empty for what the sync itself has changed. */
  since: string;
}

/** A list of patients, as the address has it. What is searched for is personal, and stands in no address. */
export interface ListRoute {
  list: PatientList;
  sort: PatientSort;
  /** The id of a practitioner; empty for all. */
  practitioner: string;
  /** The id of a sync; empty for the newest one. */
  asOf: string;
  /** What the address asks for that does not exist, as sentences; empty if all of it does. */
  wrong?: string;
}

/** The organization in the id of a sync; empty if it has none. */
export const organizationOfSync = (syncId: string): string => /^sync_(.+)_\d{8}_\d{6}(_\d+)?$/.exec(syncId)?.[1] ?? '';

/** What the address asks for. */
export function routeOf(address: { search: string; hash: string }): Route {
  const given = new URLSearchParams(address.search);
  const sync = given.get('sync') ?? '';
  const list = sync ? null : listOf(given);
  const changed = sync || list ? '' : (given.get('changes') ?? '');
  return {
    organization: given.get('organization') || organizationOfSync(sync || (list?.asOf ?? '') || changed),
    sync,
    line: Number(/^#L(\d{1,9})$/.exec(address.hash)?.[1] ?? 0),
    list,
    changes: changed ? { sync: changed, since: given.get('since') ?? '' } : null,
  };
}

function listOf(given: URLSearchParams): ListRoute | null {
  const name = given.get('list');
  if (name === null) return null;
  const oneOf = <Name extends string>(names: readonly Name[], wanted: string): Name | undefined =>
    names.find((known) => known === wanted.toUpperCase());
  const [sort, practitioner] = [given.get('sort') ?? '', given.get('practitioner') ?? ''];
  const found = { list: oneOf(LISTS, name), sort: oneOf(SORTS, sort), practitioner: /^\d{1,19}$/.exec(practitioner)?.[0] };
  const wrong = [
    found.list ? '' : `There is no list “${shortened(name)}”. This is the list of active patients; choose another one below.`,
    found.sort || !sort ? '' : `There is no order “${shortened(sort)}”. The list is sorted by name.`,
    found.practitioner || !practitioner ? '' : `“${shortened(practitioner)}” is no id of a practitioner. The patients of all are shown.`,
  ];
  return {
    list: found.list ?? 'ACTIVE',
    sort: found.sort ?? 'NAME',
    practitioner: found.practitioner ?? '',
    asOf: given.get('asOf') ?? '',
    wrong: wrong.filter(Boolean).join(' '),
  };
}

const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** The address of a sync, at a line of its log, or of the organization without one. Other parameters are kept. */
export function hrefOf(sync: string, line = 0): string {
  const given = withoutView();
  if (sync) given.set('sync', sync);
  const search = given.toString();
  return `${search ? `?${search}` : location.pathname}${line ? `#L${line}` : ''}`;
}

/** The address of a list of patients. What is not given is that of a list that was just opened. */
export function listHref({ list, sort = 'NAME', practitioner = '', asOf = '' }: Pick<ListRoute, 'list'> & Partial<ListRoute>): string {
  const given = withoutView();
  given.set('list', list);
  if (sort !== 'NAME') given.set('sort', sort);
  if (practitioner) given.set('practitioner', practitioner);
  if (asOf) given.set('asOf', asOf);
  return `?${given}`;
}

/** The address of the patients that a sync has changed, or that differ since an earlier one. */
export function changesHref({ sync, since }: ChangesRoute): string {
  const given = withoutView();
  given.set('changes', sync);
  if (since) given.set('since', since);
  return `?${given}`;
}

function withoutView(): URLSearchParams {
  const given = new URLSearchParams(location.search);
  for (const name of VIEW_PARAMETERS) given.delete(name);
  return given;
}

/** The address of another organization on the same server. */
export function organizationHref(organization: string): string {
  const given = withoutView();
  given.set('organization', organization);
  return `?${given}`;
}
