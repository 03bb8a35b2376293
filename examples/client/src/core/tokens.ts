// Who asks. Tokens live for a minute and pages for hours: a token is fetched for each request and each connection, and
// again in time before it ends.

import { NoToken } from './errors';
import type { GetToken } from './types';

const FETCHED_WITHIN_MS = 20_000;
const LONGEST_REUSE_MS = 30_000; // of one token; those of many issuers live a minute
const SHORTEST_REUSE_MS = 500;

/** What proves who asks, for the headers of a request or a frame of a socket; nothing without a token. */
export interface Proof {
  Authorization?: string;
}

interface Claims {
  exp?: unknown;
  iss?: unknown;
  sub?: unknown;
  o?: { id?: unknown } | null;
  org_id?: unknown;
}

/** What a token says about itself; nothing for tokens that are no JWT. */
function claimsOf(token: string): Claims {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const claims: unknown = JSON.parse(atob(part));
    return typeof claims === 'object' && claims !== null ? claims : {};
  } catch {
    return {};
  }
}

const textOf = (claim: unknown): string => (typeof claim === 'string' || typeof claim === 'number' ? String(claim) : '');

/** The organization that a token names, as the server reads it; '' for tokens that name none. */
export function organizationOf(token: string): string {
  const { o, org_id: organization } = claimsOf(token);
  return textOf(o?.id) || textOf(organization);
}

/** Who a token stands for, as the issuer writes it: issuer, person and organization; null for tokens that say no person. */
export function personOf(token: string): string | null {
  const { iss, sub } = claimsOf(token);
  return textOf(sub) ? JSON.stringify([textOf(iss), textOf(sub), organizationOf(token)]) : null;
}

/** Half of the time that is left to a token, as it says itself; else, or if the clocks disagree, within the bounds. */
export function reuseMs(token: string, clockOffset = 0): number {
  const { exp } = claimsOf(token);
  const left = typeof exp === 'number' ? exp * 1000 - (Date.now() - clockOffset) : Infinity;
  return Math.min(LONGEST_REUSE_MS, Math.max(SHORTEST_REUSE_MS, left / 2));
}

/** A function that gives tokens, for one that fetches them: each is used for about half of its life. */
export function reusing(fetchToken: () => Promise<string>): GetToken {
  let kept: { token: string; until: number } | null = null;
  return async ({ isFresh }) => {
    if (kept && !isFresh && Date.now() < kept.until) return kept.token;
    const token = await fetchToken();
    kept = { token, until: Date.now() + reuseMs(token) };
    return token;
  };
}

/** The source of one client's tokens: its `getToken`, unless a person has typed one. */
export class Tokens {
  readonly #getToken: GetToken | undefined;
  #given: string | null = null;
  #isFreshWanted = false;
  /** Fetched to know whose it is, and not used yet. */
  #held: { token: string; at: number } | null = null;
  /** Whether a token was there when one was last asked for. */
  hadToken = false;
  /** Called with the token each time that one was fetched; see `personOf`. '' without a token. */
  onToken: (token: string) => void = () => {};

  constructor(getToken: GetToken | undefined) {
    this.#getToken = getToken;
  }

  /** Whether there is a function to ask, so that a refused token may be followed by a good one. */
  get canFetch(): boolean {
    return this.#getToken !== undefined && this.#given === null;
  }

  give(token: string | null): void {
    this.#given = token;
    this.refuse();
  }

  /** The last token was refused: the next one must be another one. */
  refuse(): void {
    this.#held = null;
    this.#isFreshWanted = true;
  }

  /** The token of this moment, which the next request may use too; '' without one. */
  async peek(): Promise<string> {
    const token = await this.#fetch();
    this.#held = { token, at: Date.now() };
    return token;
  }

  /** The token that was fetched to know whose it is will not be used. */
  drop(): void {
    this.#held = null;
  }

  /** Throws `NoToken` if the function that gives tokens fails. */
  async proof(): Promise<Proof> {
    const held = this.#held;
    this.#held = null;
    const token = held && Date.now() - held.at < SHORTEST_REUSE_MS ? held.token : await this.#fetch();
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  async #fetch(): Promise<string> {
    let token = this.#given ?? '';
    if (this.#getToken && this.canFetch) {
      const isFresh = this.#isFreshWanted;
      this.#isFreshWanted = false;
      token = (await within(FETCHED_WITHIN_MS, this.#getToken, isFresh)) ?? '';
    }
    this.hadToken = token !== '';
    this.onToken(token);
    return token;
  }
}

async function within(milliseconds: number, getToken: GetToken, isFresh: boolean): Promise<string | null | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('It took too long.')), milliseconds);
  });
  try {
    return await Promise.race([getToken({ isFresh }), late]);
  } catch (problem) {
    throw new NoToken(problem);
  } finally {
    clearTimeout(timer);
  }
}
