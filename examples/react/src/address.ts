// Where the server is. Called only once a page is shown: a server that renders it has no address of the page.

/**
 * The GraphQL endpoint: `graphqlUrl` if given, or `graphql` beside the documented `api/v1`, so that a server under a path
 * such as `https://example.com/routiq/api/v1` is found too. Throws an Error for people if there can be none.
 */
export function endpointOf(apiBaseUrl: string, graphqlUrl?: string): string {
  const api = parse('apiBaseUrl', apiBaseUrl, document.baseURI);
  const [, prefix] = /^(.*)\/api\/v1\/*$/.exec(api.pathname) ?? [];
  const endpoint = graphqlUrl === undefined ? new URL(`${prefix ?? ''}/graphql`, api) : parse('graphqlUrl', graphqlUrl, api);
  if (location.protocol === 'https:' && endpoint.protocol === 'http:' && !isThisMachine(endpoint.hostname)) {
    throw new Error(
      `This page came by https, so the browser lets it use no server by http, such as ${endpoint.origin}. ` +
        'Put Routiq behind a proxy with https, and change apiBaseUrl to that address.',
    );
  }
  return endpoint.href;
}

/** The same endpoint for websockets: http becomes ws, https becomes wss. */
export function socketUrlOf(endpoint: string): string {
  return endpoint.replace(/^http/i, 'ws');
}

function parse(name: string, address: string, base: string | URL): URL {
  const url = address ? parsed(address, base) : null;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Error(`${name} is ${JSON.stringify(address)}. It has to be an address such as http://localhost:8000/api/v1.`);
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
