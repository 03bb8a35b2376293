// What a browser gives to its tabs: locks, channels between them, and whether a tab can be seen. Null where it gives none,
// such as on an insecure origin, in Node.js, and in old browsers.

export interface Channel {
  postMessage: (message: unknown) => void;
  onmessage: ((event: MessageEvent) => void) | null;
  close: () => void;
}

export interface Locks {
  request: (name: string, options: { signal?: AbortSignal; steal?: boolean }, hold: () => Promise<void>) => Promise<unknown>;
}

export interface TabEnvironment {
  locks: Locks | null;
  openChannel: ((name: string) => Channel) | null;
  isHidden: () => boolean;
  /** Calls `listener` when the tab is shown or hidden. Returns what stops it. */
  onVisibility: (listener: () => void) => () => void;
  /** Calls `listener` when the computer is back on a network. Returns what stops it. */
  onOnline: (listener: () => void) => () => void;
  /** A text from which `text` can't be read. */
  digest: (text: string) => Promise<string>;
}

/** That of this tab, asked for when someone listens: a server that renders a page has none. */
export function browserTab(): TabEnvironment {
  const hasDocument = typeof document !== 'undefined';
  const isAble = hasDocument && 'locks' in navigator && typeof BroadcastChannel === 'function' && isSecureContext;
  return {
    locks: isAble ? navigator.locks : null,
    openChannel: isAble ? (name) => new BroadcastChannel(name) : null,
    isHidden: () => hasDocument && document.visibilityState === 'hidden',
    onVisibility: (listener) => {
      if (!hasDocument) return () => {};
      document.addEventListener('visibilitychange', listener);
      return () => document.removeEventListener('visibilitychange', listener);
    },
    onOnline: (listener) => {
      if (!hasDocument) return () => {};
      window.addEventListener('online', listener);
      return () => window.removeEventListener('online', listener);
    },
    digest: async (text) => {
      const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
      return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    },
  };
}

/** A channel to the other tabs; null if the browser refuses it. */
export function channelOf(openChannel: (name: string) => Channel, name: string): Channel | null {
  try {
    return openChannel(name);
  } catch {
    return null;
  }
}
