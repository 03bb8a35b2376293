// Single requests to the server. What lasts goes over the socket; see socket.ts.

import { diagnose, noServerProblem } from './diagnosis';
import type { Operation } from './gql/graphql';

export type GetToken = () => string | null | undefined | Promise<string | null | undefined>;

const TIME_LIMIT_MS = 30_000; // a proxy gives up around then, too

/** The server could not be asked. Its message is for people, and is out of date once the server answers again. */
export class NotReached extends Error {}

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
  document: Operation<Data, Variables>,
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
      body: JSON.stringify({ query: document, variables }),
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
    });
  } catch (problem) {
    const found = await diagnose(endpoint);
    throw new NotReached(found?.problem ?? `${new URL(endpoint).origin} did not answer. Try again.`, { cause: problem });
  }
  const misplaced = noServerProblem(response, endpoint);
  if (misplaced !== null) throw new NotReached(misplaced);
  const answer = (await response.json().catch(() => ({}))) as {
    data?: Data | null;
    errors?: { message: string }[];
    detail?: string;
  };
  if (answer.errors?.length) throw new Error(answer.errors.map(({ message }) => message).join(' '));
  if (!answer.data) throw new Error(answer.detail ?? `The server answered with status ${response.status}.`);
  return answer.data;
}
