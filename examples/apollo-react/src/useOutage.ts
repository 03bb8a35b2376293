// src/useOutage.ts
import { useSyncExternalStore } from 'react';
import { socket } from './socket';

let outage: string | null = null;
socket.on('connected', () => (outage = null));
socket.on('closed', (event) => {
  const { code, reason } = event as CloseEvent;
  const isRefusal = [1013, 4401, 4403].includes(code); // with a sentence from the server, such as about the token
  outage = code === 1000 ? null : isRefusal ? reason : 'The server can’t be reached. Trying again…'; // 1000: not needed now
});

/** Why there is no connection to the server, or null. */
export const useOutage = () => useSyncExternalStore(onChange, () => outage);

function onChange(notify: () => void) {
  const ends = [socket.on('connected', notify), socket.on('closed', notify)];
  return () => ends.forEach((end) => end());
}
