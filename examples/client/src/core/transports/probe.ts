// Whether a transport gets through, without changing to it.

import type { Requests } from '../requests';
import type { Transport } from '../types';

const ANSWERED_WITHIN_MS = 8000;

/** Opens a websocket and closes it once the server has acknowledged it. Streams are known by trying them. */
export function getsThrough(transport: Transport, { place, tokens }: Requests): Promise<boolean> {
  if (transport !== 'websocket') return Promise.resolve(true);
  return new Promise((resolve) => {
    const probe = new WebSocket(place.socket, 'graphql-transport-ws');
    const end = (isThrough: boolean) => {
      clearTimeout(limit);
      probe.onopen = probe.onmessage = probe.onerror = probe.onclose = null;
      probe.close(1000);
      resolve(isThrough);
    };
    const limit = setTimeout(() => end(false), ANSWERED_WITHIN_MS);
    probe.onopen = () => {
      tokens.proof().then(
        (payload) => probe.send(JSON.stringify({ type: 'connection_init', payload })),
        () => end(false),
      );
    };
    probe.onmessage = () => end(true);
    probe.onerror = probe.onclose = () => end(false);
  });
}
