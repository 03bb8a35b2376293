// What a person has asked for: what is unanswered, and what the last attempt came to, for as long as that is true.

import { diagnose } from './diagnosis';
import { Denied, Forbidden, NoToken, Unreachable, sentenceOf } from './errors';
import type { Requests } from './requests';
import type { ActionName, ActionResult } from './types';

const STANDS_MS = 10_000; // for "could not be reached" if the connection was never lost

/** What a result may depend on. */
export interface Circumstances {
  syncId: string | null;
  /** The organization's connection to Cliniko, as text. */
  cliniko: string;
  /** Since when the connection to the server works, in milliseconds since 1970; null while it doesn't. */
  liveSince: number | null;
  /** When the server last said anything. */
  serverHeardAt: number;
}

type Holds = (now: Circumstances) => boolean;

export class Actions {
  pending: ReadonlySet<ActionName> = new Set();
  results: ReadonlyMap<ActionName, ActionResult> = new Map();
  /** Why an action needs another token; null if none does. */
  needsToken: string | null = null;
  readonly #holds = new Map<ActionName, Holds>();
  readonly #circumstances: () => Circumstances;
  readonly #changed: () => void;

  constructor(circumstances: () => Circumstances, changed: () => void) {
    this.#circumstances = circumstances;
    this.#changed = changed;
  }

  /**
   * Does what a person has asked for, once at a time. A failure becomes the action's result. Returns what `action` gives;
   * undefined if it failed or is being done already.
   */
  async attempt<Value>(name: ActionName, requests: () => Requests, action: (requests: Requests) => Promise<Value>): Promise<Value | undefined> {
    if (this.pending.has(name)) return undefined;
    this.pending = new Set([...this.pending, name]);
    this.results = new Map();
    if (this.#circumstances().liveSince !== null) this.needsToken = null;
    this.#changed();
    try {
      return await action(requests());
    } catch (error) {
      await this.#fail(name, error, requests);
      return undefined;
    } finally {
      this.pending = new Set([...this.pending].filter((other) => other !== name));
      this.#changed();
    }
  }

  /** Says what an action came to, for as long as what it is about stays the same. */
  set(name: ActionName, result: ActionResult): void {
    this.#put(name, result, sameAs(name, this.#circumstances()));
  }

  /** Drops what is not true any more. */
  prune(): void {
    if (this.results.size === 0) return;
    const now = this.#circumstances();
    const kept = [...this.results].filter(([name]) => this.#holds.get(name)?.(now));
    if (kept.length < this.results.size) this.results = new Map(kept);
  }

  #put(name: ActionName, result: ActionResult, holds: Holds): void {
    this.results = new Map([...this.results, [name, result]]);
    this.#holds.set(name, holds);
    this.#changed();
  }

  async #fail(name: ActionName, error: unknown, requests: () => Requests): Promise<void> {
    if (error instanceof Denied && !(error instanceof Forbidden)) {
      this.needsToken = error.message;
      return;
    }
    if (!(error instanceof Unreachable) || error instanceof NoToken) {
      this.#put(name, { isError: true, text: sentenceOf(error) }, sameAs(name, this.#circumstances()));
      return;
    }
    const at = Date.now();
    const found = await diagnose(requests().place).catch(() => null);
    this.#put(name, { isError: true, text: found?.problem ?? error.message }, ({ liveSince, serverHeardAt }) => {
      const isBack = liveSince !== null && (liveSince > at || (Date.now() - at > STANDS_MS && serverHeardAt > at));
      return !isBack;
    });
  }
}

function sameAs(name: ActionName, then: Circumstances): Holds {
  return name === 'connect' ? ({ cliniko }) => cliniko === then.cliniko : ({ syncId }) => syncId === then.syncId;
}
