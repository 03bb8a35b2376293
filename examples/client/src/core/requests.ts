// Single requests to the server. What lasts goes over a transport; see transports/.

import type { Place } from './address';
import { MISDIRECTED, isStrange, misdirectedText, unreachableText } from './diagnosis';
import { Denied, Refused, Stranger, Unreachable, refusal } from './errors';
import type { Operation } from './gql/graphql';
import type { Proof, Tokens } from './tokens';

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

  /**
   * The answer, whatever its status; a token that is refused is replaced once. Throws `Unreachable` without an answer, and
   * what the caller's signal was aborted with.
   */
  async send(url: string, options: RequestInit, { signal, milliseconds = ANSWERED_WITHIN_MS }: RequestLimits = {}): Promise<Response> {
    const limit = AbortSignal.timeout(milliseconds);
    const once = async (proof: Proof): Promise<Response> => {
      const headers = headersOf({ ...(options.headers as Record<string, string> | undefined), ...(proof as Record<string, string>) });
      try {
        return await fetch(url, { ...options, headers, cache: 'no-store', signal: signal ? AbortSignal.any([limit, signal]) : limit });
      } catch (cause) {
        const { origin } = new URL(url);
        throw failureOf(cause, origin, unreachableText(origin));
      }
    };
    const proof = await this.tokens.proof();
    let response = await once(proof);
    if (response.status === 401 && this.tokens.canFetch) {
      this.tokens.refuse();
      const fresh = await this.tokens.proof(); // what is refused for its token was not done, so it may be asked again
      if (fresh.Authorization !== proof.Authorization) response = await once(fresh);
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
    if (!answer.data) throw refusal(answer.code, answer.detail ?? statusText(response));
    return answer.data;
  }

  /** The answer of a REST route, if it is what was asked for. Throws what the server says otherwise. */
  async get(path: string, headers: Record<string, string>, limits: RequestLimits = {}): Promise<Response> {
    const response = await this.send(this.place.rest + path, { headers }, limits);
    if (response.ok) return response;
    const { code, detail } = await readJson<Answer<never>>(response).catch((): Answer<never> => ({}));
    if (response.status >= 500 && !code) throw new Unreachable(statusText(response));
    if (response.status === 401) throw refusal('UNAUTHENTICATED', detail ?? 'The server refused the token.');
    throw code || detail ? refusal(code, detail ?? '') : new Refused(statusText(response));
  }
}

const statusText = ({ status }: Response): string => `The server answered with status ${status}. Try again later.`;

/** The JSON of an answer. Throws `Unreachable` if the answer breaks off or is none; see `send`. */
export async function readJson<Data>(response: Response): Promise<Data> {
  const { origin } = new URL(response.url);
  const body = await response.text().catch((cause: unknown) => {
    throw failureOf(cause, origin);
  });
  try {
    return JSON.parse(body) as Data;
  } catch (cause) {
    throw new Unreachable(`The server at ${origin} sent an answer that can't be read (status ${response.status}). Try again later.`, { cause });
  }
}

/**
 * What a failed request means: no answer of the server, with `text` unless it was late or broke off. Everything but a
 * `TypeError` and a time limit, such as an abort by the caller, is no fault of the server and stays as it is.
 */
function failureOf(cause: unknown, origin: string, text = ''): unknown {
  const isLate = (cause as Error).name === 'TimeoutError';
  if (!isLate && !(cause instanceof TypeError)) return cause;
  return new Unreachable((!isLate && text) || `The server at ${origin} did not answer in ${isLate ? 'time' : 'full'}. Try again.`, { cause });
}

/** A token comes from people and from other programs: it may have characters that no header can have. */
function headersOf(given: Record<string, string>): Headers {
  try {
    return new Headers(given);
  } catch {
    throw new Denied('No token has such characters. Copy it again.');
  }
}
