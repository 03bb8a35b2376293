// How GraphiQL asks the server: POST for queries and mutations, a websocket for subscriptions.
//
// GraphiQL's own fetcher throws at the array of errors by which a subscription is refused, and shows "{}" or a stack
// where the server can't be reached. This one always answers {errors: [{message}]}, with a sentence.

import * as token from './token.js';

const { GraphQL } = GraphiQL;
const endpoint = location.origin + location.pathname;
const KEEP_ALIVE_MS = 10_000;
const PONG_LIMIT_MS = 5_000;
const ACCEPTED_LIMIT_MS = 20_000;
const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;

const errors = (message, extensions) => ({ errors: [{ message, ...(extensions && { extensions }) }] });
const UNREACHABLE = `The server at ${location.origin} can’t be reached. Check that it is running, and your network.`;
const NO_TOKEN = errors('This server asks for a token. Type it into the field “Token” above.', { code: 'UNAUTHENTICATED' });
const LOST = 'The connection to the server was lost. Trying again…';

const listeners = new Set();

// Subscriptions that use the form's token begin again with the new one.
export function tokenChanged() {
  for (const begin of [...listeners]) begin();
}

const hasAuthorization = (headers = {}) => Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');

// What goes with a request: GraphiQL's own headers, which win, and the token.
async function proof(own = {}) {
  if (hasAuthorization(own)) return { headers: own, isOurs: false };
  const given = await token.headers();
  return { headers: { ...own, ...given }, sent: given.Authorization, isOurs: true };
}

async function send(body, headers) {
  let all;
  try {
    all = new Headers({ 'Content-Type': 'application/json', Accept: 'application/json', ...headers });
  } catch {
    return { result: errors('A header can’t be sent. Names are of letters, digits and dashes; values are of plain text.') };
  }
  let response;
  try {
    response = await fetch(endpoint, { method: 'POST', headers: all, body, cache: 'no-store' });
  } catch {
    return { result: errors(UNREACHABLE) };
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    const message = `The answer has status ${response.status} and is not JSON. A proxy may have sent it in place of the server.`;
    return { status: response.status, result: errors(message, { status: response.status }) };
  }
  if (answer && (answer.data !== undefined || answer.errors)) return { status: response.status, result: answer };
  const { type, title, detail, ...more } = answer ?? {}; // a problem, RFC 9457
  const message = detail ?? title ?? `The server answered with status ${response.status}.`;
  return { status: response.status, result: errors(message, { ...more, status: response.status }) };
}

// The answer to a query or mutation.
export async function ask(parameters, own) {
  const body = JSON.stringify(parameters);
  try {
    let used = await proof(own);
    let { status, result } = await send(body, used.headers);
    if (status === 401 && used.isOurs && token.canFetch()) {
      token.refetch();
      used = await proof(own);
      ({ status, result } = await send(body, used.headers));
    }
    if (status) token.noteAnswer({ ...used, ...refusalIn(status, result) });
    return result;
  } catch (error) {
    return errors(error.message);
  }
}

// A refused token: the request's status says so, or the code of an error. Other refusals leave the token alone.
function refusalIn(status, result) {
  const error = result.errors?.[0];
  const code = error?.extensions?.code;
  return status !== 200 || code === 'UNAUTHENTICATED' ? { code, message: error?.message } : {};
}

// Why a websocket failed, as an answer.
async function failure(problem) {
  if (Array.isArray(problem)) return { errors: problem };
  if (typeof problem?.code === 'number') {
    if (problem.reason) return errors(problem.reason, { closeCode: problem.code });
    if (problem.code !== 1006) return errors(`The server closed the websocket with code ${problem.code}.`, { closeCode: problem.code });
  } else if (problem instanceof Error && problem.message) {
    return errors(problem.message);
  }
  try {
    await fetch(endpoint, { headers: { Accept: 'text/html' }, cache: 'no-store' });
  } catch {
    return errors(UNREACHABLE);
  }
  return errors('The server answers, but the websocket was refused. Check that every proxy in front of it passes websockets on.');
}

// One subscription, as the observable that GraphiQL takes. It outlives lost connections, and changes of the token.
function subscription(parameters, own) {
  return {
    subscribe(observer) {
      let client;
      let round = 0;
      let isOver = false;

      const begin = () => {
        const mine = ++round;
        let used = { isOurs: true };
        const isCurrent = () => !isOver && mine === round;
        const next = (result) => {
          if (!isCurrent()) return;
          const code = result.errors?.[0]?.extensions?.code;
          if (code === 'UNAUTHENTICATED') token.noteAnswer({ ...used, code, message: result.errors[0].message });
          observer.next(result);
        };
        const end = () => {
          if (!isCurrent()) return;
          stop();
          observer.complete();
        };
        void client?.dispose();
        if (token.isMissing()) {
          observer.next(NO_TOKEN);
          end();
          return;
        }
        let wasAccepted = false;
        let overdue;
        const mayRetry = ({ code }) => wasAccepted && isCurrent() && (code !== FORBIDDEN || (used.isOurs && token.canFetch()));
        client = graphqlWs.createClient({
          url: endpoint.replace(/^http/, 'ws'),
          connectionParams: async () => (used = await proof(own)).headers,
          connectionAckWaitTimeout: ACCEPTED_LIMIT_MS,
          keepAlive: KEEP_ALIVE_MS,
          retryAttempts: Infinity,
          shouldRetry: mayRetry,
          on: {
            connected: () => {
              wasAccepted = true;
              token.noteAnswer(used);
            },
            // Without a pong the connection is gone, as after a laptop has slept.
            ping: (received) => {
              if (!received) overdue = setTimeout(() => client.terminate(), PONG_LIMIT_MS);
            },
            pong: (received) => received && clearTimeout(overdue),
            closed: (event) => {
              clearTimeout(overdue);
              if (event.code === FORBIDDEN) token.refetch();
              else if (event.code !== 1000 && mayRetry(event)) next(errors(LOST));
            },
          },
        });
        client.subscribe(parameters, {
          next,
          complete: end,
          error: async (problem) => {
            const result = await failure(problem);
            if (!isCurrent()) return;
            const isRefused = [UNAUTHORIZED, FORBIDDEN].includes(problem?.code);
            if (isRefused) result.errors[0].extensions.code = 'UNAUTHENTICATED';
            next(result);
            // A token that ended while the subscription was live: it resumes with the next token.
            if (!(isRefused && wasAccepted && used.isOurs)) end();
          },
        });
      };

      const stop = () => {
        isOver = true;
        listeners.delete(begin);
        void client?.dispose();
      };

      if (!hasAuthorization(own)) listeners.add(begin);
      begin();
      return { unsubscribe: stop };
    },
  };
}

// The operation that is meant, if the document can be read and names only one.
function operationOf({ query, operationName }) {
  try {
    const document = GraphQL.parse(query);
    return GraphQL.getOperationAST(document, operationName) ?? GraphQL.getOperationAST(document);
  } catch {
    return null; // the server's answer says what is wrong
  }
}

// A fetcher for GraphiQL. `onResult` is called with every result that passes.
export const createFetcher = (onResult) => async (parameters, { headers } = {}) => {
  if (token.isMissing() && !hasAuthorization(headers)) return NO_TOKEN;
  const operation = operationOf(parameters);
  // GraphiQL finds the name only a moment after the text has changed.
  const meant = operation ? { ...parameters, operationName: operation.name?.value } : parameters;
  if (operation?.operation === 'subscription') {
    const live = subscription(meant, headers);
    return { subscribe: (observer) => live.subscribe({ ...observer, next: (result) => { onResult(result); observer.next(result); } }) };
  }
  const result = await ask(meant, headers);
  onResult(result);
  return result;
};
