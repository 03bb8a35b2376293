// Where the server is. Called only once a page is shown: a server that renders it has no address of the page.

import { Refused } from './errors';
import type { ClientOptions } from './types';

export interface Place {
  /** Without a path, for sentences. */
  origin: string;
  /** The documented REST routes: `…/api/v1/sync`. */
  rest: string;
  graphql: string;
  /** The same for websockets: http becomes ws, https becomes wss. */
  socket: string;
}

/**
 * The addresses of a server. GraphQL is at `graphqlUrl` if given, or at `graphql` beside the documented `api/v1`, so that a
 * server under a path such as `https://example.com/routiq/api/v1` is found too.
 *
 * Throws `Refused` if there can be none.
 */
export function placeOf({ apiBaseUrl, graphqlUrl }: Pick<ClientOptions, 'apiBaseUrl' | 'graphqlUrl'>): Place {
  const api = parse('apiBaseUrl', apiBaseUrl, typeof document === 'undefined' ? undefined : document.baseURI);
  const path = api.pathname.replace(/\/+$/, '');
  const prefix = /^(.*)\/api\/v1$/.exec(path)?.[1] ?? '';
  const graphql = graphqlUrl ? parse('graphqlUrl', graphqlUrl, api) : new URL(`${prefix}/graphql`, api);
  if (typeof location !== 'undefined' && location.protocol === 'https:' && graphql.protocol === 'http:' && !isThisMachine(graphql.hostname)) {
    throw new Refused(
      `This page came by https, so the browser lets it use no server by http, such as ${graphql.origin}. ` +
        'Put Routiq behind a proxy with https, and change the address to that of the proxy.',
    );
  }
  return {
    origin: graphql.origin,
    rest: `${api.origin}${path}/sync`,
    graphql: graphql.href,
    socket: graphql.href.replace(/^http/i, 'ws'),
  };
}

function parse(name: string, address: string, base: string | URL | undefined): URL {
  const url = address ? parsed(address, base) : null;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Refused(`${name} is ${JSON.stringify(address)}. It has to be an address such as http://localhost:8000/api/v1.`);
}

/** `address` as a URL; null if it is none. */
export function parsed(address: string, base?: string | URL): URL | null {
  try {
    return new URL(address, base);
  } catch {
    return null;
  }
}

/** Browsers treat this machine as secure, whatever the scheme. */
function isThisMachine(hostname: string): boolean {
  return /^(.+\.)?localhost$|^127\.|^\[::1\]$/.test(hostname);
}
