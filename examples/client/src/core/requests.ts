// Single requests to the server. What lasts goes over a transport; see transports/.

import type { Place } from './address';
import { MISDIRECTED, isStrange, misdirectedText, unreachableText } from './diagnosis';
import { Refused, Stranger, Unreachable, refusal } from './errors';
import type { Operation } from './gql/graphql';
import type { Tokens } from './tokens';

const ANSWERED_WITHIN_MS = 20_000; // for answers that come at once

export interface RequestLimits {
  signal?: AbortSignal | undefined;
  /** How long the answer may take: 20 s unless given. */
  milliseconds?: number;
}

/** An answer of GraphQL, or a problem document of REST. */
interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; path?: (string | number)[]; extensions?: { code?: unknown } }[];
  detail?: string;
  code?: string;
}

export class Requests {
  readonly place: Place;
  readonly tokens: Tokens;
  /** Called at each answer, with the server's clock in milliseconds where the browser lets the page read it, else null. */
  readonly #heard: (serverTime: number | null) => void;

  constructor(place: Place, tokens: Tokens, heard: (serverTime: number | null) => void = () => {}) {
    this.place = place;
    this.tokens = tokens;
    this.#heard = heard;
  }

  /** The answer, whatever its status; a token that is refused is replaced once. Throws `Unreachable` without an answer. */
  async send(url: string, options: RequestInit, { signal, milliseconds = ANSWERED_WITHIN_MS }: RequestLimits = {}): Promise<Response> {
    const late = AbortSignal.timeout(milliseconds);
    const signals = AbortSignal.any(signal ? [late, signal] : [late]);
    const once = async (proof: Record<string, string>): Promise<Response> => {
      try {
        const headers = { ...(options.headers as Record<string, string> | undefined), ...proof };
        return await fetch(url, { ...options, headers, cache: 'no-store', signal: signals });
      } catch (cause) {
        const { origin } = new URL(url);
        const text = late.aborted ? `The server at ${origin} did not answer in time. Try again.` : unreachableText(origin);
        throw new Unreachable(text, { cause });
      }
    };
    const proof = await this.tokens.proof();
    let response = await once({ ...proof });
    if (response.status === 401 && this.tokens.canFetch) {
      this.tokens.refuse();
      const fresh = await this.tokens.proof(); // what is refused for its token was not done, so it may be asked again
      if (fresh.Authorization !== proof.Authorization) response = await once({ ...fresh });
    }
    if (isStrange(response)) throw new Stranger(response.url || url);
    if (response.status === MISDIRECTED) throw new Refused(misdirectedText(url), { isPassing: true });
    const date = Date.parse(response.headers.get('Date') ?? '');
    this.#heard(Number.isNaN(date) ? null : date);
    return response;
  }

  /** The data of a query or mutation. Errors of the fields in `optional` leave them null. */
  async ask<Data, Variables>(
    document: Operation<Data, Variables>,
    variables: Variables,
    { optional = [], ...limits }: RequestLimits & { optional?: string[] } = {},
  ): Promise<Data> {
    const { graphql } = this.place;
    const options = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json, application/json' },
      body: JSON.stringify({ query: document, variables }),
    };
    const response = await this.send(graphql, options, limits);
    if (response.status === 404) throw new Stranger(graphql);
    const answer = await readJson<Answer<Data>>(response);
    const error = answer.errors?.find(({ path }) => !path || !optional.includes(String(path[0])));
    if (error) {
      if (response.status === 503) throw new Unreachable(error.message);
      throw refusal(error.extensions?.code, error.message);
    }
    if (!answer.data) throw refusal(answer.code, answer.detail ?? `The server answered with status ${response.status}. Try again later.`);
    return answer.data;
  }

  /** The answer of a REST route, if it is what was asked for. Throws what the server says otherwise. */
  async get(path: string, headers: Record<string, string>, limits: RequestLimits = {}): Promise<Response> {
    const response = await this.send(this.place.rest + path, { headers }, limits);
    if (response.ok) return response;
    const { code, detail } = await readJson<Answer<never>>(response).catch((): Answer<never> => ({}));
    if (response.status >= 500 && !code) throw new Unreachable(`The server answered with status ${response.status}. Try again later.`);
    if (response.status === 401) throw refusal('UNAUTHENTICATED', detail ?? 'The server refused the token.');
    throw code || detail ? refusal(code, detail ?? '') : new Refused(`The server answered with status ${response.status}.`);
  }
}

async function readJson<Data>(response: Response): Promise<Data> {
  try {
    return (await response.json()) as Data;
  } catch (cause) {
    const { origin } = new URL(response.url);
    throw new Unreachable(`The server at ${origin} sent an answer that can't be read (status ${response.status}). Try again later.`, { cause });
  }
}
