// Tokens live for a minute and subscriptions for hours: pings bring fresh tokens for as long as a websocket is open.
// graphql-ws sends pings of its own, but they can't carry anything.

import { type GetToken, credentials } from './requests';

const LONGEST_WAIT_MS = 30_000;
const SHORTEST_WAIT_MS = 500;

/** Half of the time that is left to a token, as it says itself; else, or if the clocks disagree, within the bounds. */
function waitOf(authorization: string): number {
  let left = Infinity;
  try {
    const claims = authorization.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = JSON.parse(atob(claims)) as { exp?: unknown };
    if (typeof exp === 'number') left = exp * 1000 - Date.now();
  } catch {
    // Not every token can be read.
  }
  return Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, left / 2));
}

/**
 * Sends what `getToken` gives in time before the last token ends. `opened` is what the socket was opened with. Returns
 * what stops it.
 */
export function keepRenewed(socket: WebSocket, opened: Record<string, string>, getToken: GetToken): () => void {
  let sent = opened['Authorization'];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  const later = () => {
    if (sent && !isStopped) timer = setTimeout(() => void renew(), waitOf(sent));
  };
  const renew = async () => {
    const fresh = (await credentials(getToken).catch((): Record<string, string> => ({})))['Authorization'];
    if (isStopped) return;
    if (fresh && fresh !== sent) {
      sent = fresh;
      socket.send(JSON.stringify({ type: 'ping', payload: { Authorization: fresh } }));
    }
    later();
  };
  later();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
