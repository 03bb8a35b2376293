// Why the server can't be used. Browsers say nothing about a websocket or a request that failed, so this asks for less, step
// by step: does anything answer at that address, may this page read the answer, and is it Routiq's?

import { type Place, parsed } from './address';
import { Stranger } from './errors';
import type { Transport } from './types';

/** `unreachable`: nothing answers. `blocked`: something does, but not as this page needs it. */
export interface Diagnosis {
  connection: 'unreachable' | 'blocked';
  /** What is wrong and what to do, for people. */
  problem: string;
}

const ANSWERED_WITHIN_MS = 5_000;
/** The status of an answer to a request that names a host that is not the server's. */
export const MISDIRECTED = 421;

/** What keeps this page from the server; null if its requests are answered. */
export async function diagnose({ graphql, origin, socket }: Place): Promise<Diagnosis | null> {
  watchPolicy();
  const { host } = new URL(graphql);
  const blocked = (problem: string): Diagnosis => ({ connection: 'blocked', problem });

  // /healthz needs no token, and answers under any host name and to any origin.
  const anything = await probe(new URL('healthz', graphql).href, 'no-cors');
  if (hostsForbiddenByPage.has(host)) {
    const sources = `${origin} ${new URL(socket).origin}`;
    return blocked(`This page's Content-Security-Policy forbids connections to ${origin}. Add ${sources} to its connect-src.`);
  }
  if (!anything) return { connection: 'unreachable', problem: unreachableText(origin) };

  const answer = await probe(graphql, 'cors');
  if (!answer && typeof location !== 'undefined' && origin === location.origin) return { connection: 'unreachable', problem: unreachableText(origin) };
  if (!answer) return blocked(originProblem(origin));
  if (answer.status === MISDIRECTED) return blocked(misdirectedText(graphql));
  if (isStrange(answer)) return blocked(new Stranger(graphql).message);
  const problem = await refusalOf(answer);
  return problem === null ? null : blocked(problem);
}

/** The sentence for a server that nothing is heard from. */
export function unreachableText(origin: string): string {
  return `The server at ${origin} could not be reached. Is it running?`;
}

/** The sentence for a server that is not to be called by the name in the address. */
export function misdirectedText(url: string): string {
  const { origin, hostname } = new URL(url);
  return `${origin} doesn't answer under this name. Add ${hostname} to ROUTIQ_ALLOWED_HOSTS on the server and restart it.`;
}

/** The sentence for a server that answers single requests but not by the only transports that may be used. */
export function noTransportText({ origin, socket }: Place, transport: Transport): string {
  return transport === 'websocket'
    ? `${origin} answers, but a websocket to ${socket} doesn't open. A proxy in front of the server has to forward websockets.`
    : `${origin} answers, but its event streams are held back. A proxy in front of the server has to forward them unbuffered.`;
}

/** Whether an answer is not one of Routiq's. A page with a status of 500 or more is that of a proxy whose server is away. */
export function isStrange(answer: Response): boolean {
  const isData = /json|graphql|event-stream|text\/(plain|csv)/.test(answer.headers.get('Content-Type') ?? '');
  return answer.status !== 204 && !isData && answer.status < 500;
}

function originProblem(server: string): string {
  const own = typeof location === 'undefined' ? 'null' : location.origin;
  if (own === 'null') {
    return `${server} answers, but not to a page without an origin, such as a file or a sandboxed frame. Serve this page from a web server.`;
  }
  return (
    `${server} answers, but doesn't allow pages from ${own}. ` +
    `Add ${own} to ROUTIQ_ALLOWED_ORIGINS on the server and restart it. ` +
    'If that is not your Routiq server, correct the address.'
  );
}

/** What the server says against any request; null for 400 without an operation, 401 without a token and the like. */
async function refusalOf(answer: Response): Promise<string | null> {
  if (answer.status < 403 || answer.status === 405) return null;
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: string };
  return detail ?? `The server answered with status ${answer.status}. Try again later.`;
}

async function probe(url: string, mode: RequestMode): Promise<Response | null> {
  try {
    return await fetch(url, { mode, cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(ANSWERED_WITHIN_MS) });
  } catch {
    return null;
  }
}

/** Where the page's Content-Security-Policy lets nothing through; a page keeps its policy for as long as it is open. */
const hostsForbiddenByPage = new Set<string>();
let isWatching = false;

/** Notes what the policy forbids from now on. */
export function watchPolicy(): void {
  if (isWatching || typeof document === 'undefined') return;
  isWatching = true;
  document.addEventListener('securitypolicyviolation', ({ blockedURI, disposition, effectiveDirective }) => {
    if (disposition === 'report' || effectiveDirective !== 'connect-src') return;
    const url = parsed(blockedURI);
    if (url) hostsForbiddenByPage.add(url.host);
  });
}
