// A browser with several tabs: locks that one tab holds, channels between tabs, and tabs that are shown and hidden.

import { createHash } from 'node:crypto';

import type { Channel, Locks, TabEnvironment } from '../../src/core/tabs/environment';

interface Waiting {
  grant: () => void;
  fail: (reason: Error) => void;
}

/** As navigator.locks, with exclusive locks: first come, first served, except for one who steals. */
class FakeLocks {
  private readonly holders = new Map<string, Waiting>();
  private readonly queues = new Map<string, Waiting[]>();

  request(name: string, { signal, steal }: { signal?: AbortSignal; steal?: boolean }, hold: () => Promise<void>): Promise<unknown> {
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    return new Promise((resolve, reject) => {
      const own: Waiting = {
        grant: () => {
          this.holders.set(name, own);
          void hold().then(() => {
            if (this.holders.get(name) !== own) return;
            this.holders.delete(name);
            resolve(undefined);
            queue.shift()?.grant();
          });
        },
        fail: reject,
      };
      signal?.addEventListener('abort', () => {
        const place = queue.indexOf(own);
        if (place < 0) return;
        queue.splice(place, 1);
        reject(new DOMException('Aborted', 'AbortError'));
      });
      const holder = this.holders.get(name);
      if (!holder) own.grant();
      else if (steal) {
        this.holders.delete(name);
        holder.fail(new DOMException('Stolen', 'AbortError'));
        own.grant();
      } else queue.push(own);
    });
  }
}

export class FakeBrowser {
  private readonly locks = new FakeLocks();

  tab(isHidden = false): FakeTab {
    return new FakeTab(this.locks, isHidden);
  }
}

export class FakeTab implements TabEnvironment {
  locks: Locks;
  private readonly listeners = new Set<() => void>();
  private isFrozen = false;
  private isShown: boolean;
  /** The names of the channels that it has opened. */
  names: string[] = [];

  constructor(locks: FakeLocks, isHidden: boolean) {
    this.locks = { request: (name, options, hold) => locks.request(name, options, hold) };
    this.isShown = !isHidden;
  }

  openChannel = (name: string): Channel => {
    this.names.push(name);
    const real = new BroadcastChannel(name);
    const channel: Channel = {
      postMessage: (message) => {
        if (!this.isFrozen) real.postMessage(message);
      },
      onmessage: null,
      close: () => real.close(),
    };
    real.onmessage = (event) => {
      if (!this.isFrozen) channel.onmessage?.(event);
    };
    return channel;
  };

  readonly isHidden = (): boolean => !this.isShown;

  readonly onVisibility = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly onOnline = (): (() => void) => () => {};

  readonly digest = (text: string): Promise<string> => Promise.resolve(createHash('sha256').update(text).digest('hex'));

  show(): void {
    this.isShown = true;
    for (const listener of this.listeners) listener();
  }

  hide(): void {
    this.isShown = false;
    for (const listener of this.listeners) listener();
  }

  /** It neither says nor hears anything any more, and holds its locks. */
  freeze(): void {
    this.isFrozen = true;
  }
}
