/**
 * Who asks. A token comes, in this order, from the page around this one, from a person (typed in or by a link), or from
 * where the server that shows this page gives out tokens, as the demo does.
 */

import { type GetToken, reusing } from '../core';
import { beside, filledIn, takeToken } from './address';

declare global {
  interface Window {
    routiqGetToken?: () => string | null | undefined | Promise<string | null | undefined>;
  }
}

const ANSWER_LIMIT_MS = 20_000;

let given = takeToken();

export const isAsked = (): boolean => typeof window.routiqGetToken === 'function';

/** Whether another token can be had without a person. */
export const canFetchToken = (): boolean => isAsked() || (!given && filledIn('token') !== '');

/** The token that a person gave, by a link or in the field. */
export const givenToken = (): string => given;

/** Takes a token that a person has typed. */
export function giveToken(token: string): void {
  given = token.trim().replace(/^bearer\s+/i, '');
}

async function fetchToken(organization: string): Promise<string> {
  const url = beside(filledIn('token'));
  url.searchParams.set('organization', organization);
  const response = await fetch(url, { method: 'POST', cache: 'no-store', signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  const { token } = (await response.json()) as { token: string };
  return token;
}

/** Where tokens for requests about an organization come from; undefined if only a person can give one. */
export function tokensFor(organization: string): GetToken | undefined {
  if (!canFetchToken()) return undefined;
  const reused = reusing(() => fetchToken(organization));
  return (wanted) => (window.routiqGetToken ? window.routiqGetToken() : reused(wanted));
}

/** The token for one request about an organization; empty without one. */
export async function tokenFor(organization: string): Promise<string> {
  const source = tokensFor(organization);
  return (source ? await source({ isFresh: false }) : given) ?? '';
}
