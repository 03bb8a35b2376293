// Why the server can't be used. Browsers say nothing about a websocket or a request that failed, so this asks for less, step
// by step: does anything answer at that address, may this page read the answer, and is it Routiq's?

import { parsed, socketUrlOf } from './address';

/** `unreachable`: nothing answers. `blocked`: something does, but not as this page needs it. */
export interface Diagnosis {
  connection: 'unreachable' | 'blocked';
  /** What is wrong and what to do, for people. */
  problem: string;
}

const ANSWERED_WITHIN_MS = 5_000;
const MISDIRECTED = 421; // the request names a host that is not the server's

/** What keeps this page from the server; null if its requests are answered. */
export async function diagnose(endpoint: string): Promise<Diagnosis | null> {
  watchPolicy();
  const { origin: server, host, hostname } = new URL(endpoint);
  const blocked = (problem: string): Diagnosis => ({ connection: 'blocked', problem });

  // /healthz needs no token, and answers under any host name and to any origin.
  const anything = await probe(new URL('healthz', endpoint).href, 'no-cors');
  if (hostsForbiddenByPage.has(host)) {
    const sources = `${server} ${new URL(socketUrlOf(endpoint)).origin}`;
    return blocked(`This page's Content-Security-Policy forbids connections to ${server}. Add ${sources} to its connect-src.`);
  }
  if (!anything) return { connection: 'unreachable', problem: `${server} can't be reached. Is the server running?` };

  const answer = await probe(endpoint, 'cors');
  if (!answer) return blocked(originProblem(server));
  if (answer.status === MISDIRECTED) {
    return blocked(`${server} doesn't answer under this name. Add ${hostname} to ROUTIQ_ALLOWED_HOSTS on the server and restart it.`);
  }
  const problem = noServerProblem(answer, endpoint) ?? (await refusalOf(answer));
  return problem === null ? null : blocked(problem);
}

/** The sentence for a server that answers by HTTP but to no websocket. */
export function noSocketProblem(endpoint: string): string {
  const { origin } = new URL(endpoint);
  return `${origin} answers, but a websocket to ${socketUrlOf(endpoint)} doesn't open. A proxy in front of the server has to forward websockets.`;
}

function originProblem(server: string): string {
  if (location.origin === 'null') {
    return `${server} answers, but not to a page without an origin, such as a file or a sandboxed frame. Serve this page from a web server.`;
  }
  return (
    `${server} answers, but doesn't allow pages from ${location.origin}. ` +
    `Add ${location.origin} to ROUTIQ_ALLOWED_ORIGINS on the server and restart it. ` +
    'If that is not your Routiq server, correct apiBaseUrl.'
  );
}

/** The sentence for an answer that is not one of Routiq's GraphQL endpoint; null if it is. */
export function noServerProblem(answer: Response, endpoint: string): string | null {
  const isData = /json|graphql/.test(answer.headers.get('Content-Type') ?? '');
  const isOther = answer.status === 404 || (!isData && answer.status < 500);
  return isOther ? `There is no Routiq server at ${endpoint}. Check apiBaseUrl and graphqlUrl.` : null;
}

/** What the server says against any request; null for 400 without an operation, 401 without a token and the like. */
async function refusalOf(answer: Response): Promise<string | null> {
  if (answer.status < 403 || answer.status === 405) return null;
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: string };
  return detail ?? `The server answered with status ${answer.status}.`;
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
  if (isWatching) return;
  isWatching = true;
  document.addEventListener('securitypolicyviolation', ({ blockedURI, disposition, effectiveDirective }) => {
    if (disposition === 'report' || effectiveDirective !== 'connect-src') return;
    const url = parsed(blockedURI);
    if (url) hostsForbiddenByPage.add(url.host);
  });
}
