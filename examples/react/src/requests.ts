// Where the server is, and single requests to it. What lasts goes over the socket; see socket.ts.

import type { TypedDocumentString } from './gql/graphql';

export type GetToken = () => string | null | undefined | Promise<string | null | undefined>;

const TIME_LIMIT_MS = 30_000; // a proxy gives up around then, too

/**
 * The GraphQL endpoint: `graphqlUrl` if given, or `graphql` beside the documented `api/v1`, so that a server under a path
 * such as `https://example.com/routiq/api/v1` is found too.
 */
export function endpointOf(apiBaseUrl: string, graphqlUrl?: string): string {
  const api = new URL(apiBaseUrl, document.baseURI);
  const [, prefix] = /^(.*)\/api\/v1\/*$/.exec(api.pathname) ?? [];
  return new URL(graphqlUrl ?? `${prefix ?? ''}/graphql`, api).href;
}

/** The same endpoint for websockets: http becomes ws, https becomes wss. */
export function socketUrlOf(endpoint: string): string {
  return endpoint.replace(/^http/i, 'ws');
}

/** What proves who asks, for the headers of a request or a frame of a socket; nothing without a token. */
export async function credentials(getToken: GetToken): Promise<Record<string, string>> {
  let token: Awaited<ReturnType<GetToken>>;
  try {
    token = await getToken();
  } catch (problem) {
    throw new Error('No token could be fetched from where you sign in.', { cause: problem });
  }
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** The data of one query or mutation. Throws an Error whose message can be shown to people. */
export async function request<Data, Variables>(
  endpoint: string,
  getToken: GetToken,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const proof = await credentials(getToken);
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        Accept: 'application/graphql-response+json, application/json',
        'Content-Type': 'application/json',
        ...proof,
      },
      body: JSON.stringify({ query: document.toString(), variables }),
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
    });
  } catch (problem) {
    throw new Error(`${new URL(endpoint).host} can't be reached. Is the server running?`, { cause: problem });
  }
  const isPage = response.headers.get('Content-Type')?.startsWith('text/html') ?? false;
  if (response.status === 404 || (isPage && response.status < 500)) {
    throw new Error(`There is no Routiq server at ${endpoint}. Check apiBaseUrl and graphqlUrl.`);
  }
  const answer = (await response.json().catch(() => ({}))) as {
    data?: Data | null;
    errors?: { message: string }[];
    detail?: string;
  };
  if (answer.errors?.length) throw new Error(answer.errors.map(({ message }) => message).join(' '));
  if (!answer.data) throw new Error(answer.detail ?? `The server answered with status ${response.status}.`);
  return answer.data;
}
