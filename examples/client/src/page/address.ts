/**
 * Where things are: the server that is asked, the organization and the sync in the address, and the values that a Routiq
 * server has filled in. The token of a link is taken out of the address at once.
 */

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

/** What is opened: an organization, perhaps one of its syncs, perhaps at a line of its log. */
export interface Route {
  organization: string;
  sync: string;
  /** The number of a log line; 0 for none. */
  line: number;
}

/** The organization in the id of a sync; empty if it has none. */
export const organizationOfSync = (syncId: string): string => /^sync_(.+)_\d{8}_\d{6}(_\d+)?$/.exec(syncId)?.[1] ?? '';

/** What the address asks for. */
export function routeOf(address: { search: string; hash: string }): Route {
  const given = new URLSearchParams(address.search);
  const sync = given.get('sync') ?? '';
  return {
    organization: given.get('organization') || organizationOfSync(sync),
    sync,
    line: Number(/^#L(\d{1,9})$/.exec(address.hash)?.[1] ?? 0),
  };
}

/** The address of a sync, at a line of its log, or of the organization without one. Other parameters are kept. */
export function hrefOf(sync: string, line = 0): string {
  const given = new URLSearchParams(location.search);
  if (sync) given.set('sync', sync);
  else given.delete('sync');
  const search = given.toString();
  return `${search ? `?${search}` : location.pathname}${line ? `#L${line}` : ''}`;
}

/** The address of another organization on the same server. */
export function organizationHref(organization: string): string {
  const given = new URLSearchParams(location.search);
  given.set('organization', organization);
  given.delete('sync');
  return `?${given}`;
}
