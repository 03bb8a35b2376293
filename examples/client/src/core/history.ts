// The past syncs, as far as they were read. Asked for once, the list is kept up to date.

import { Unreachable } from './errors';
import { ReadHistoryDocument } from './gql/graphql';
import type { Requests } from './requests';
import { type HistoryView, type Sync, isOver } from './types';

export class History {
  view: HistoryView | null = null;
  #isStale = false;
  readonly #organizationId: string;
  readonly #requests: () => Requests;
  readonly #changed: () => void;

  constructor(organizationId: string, requests: () => Requests, changed: () => void) {
    this.#organizationId = organizationId;
    this.#requests = requests;
    this.#changed = changed;
  }

  /** Reads the newest page; what was read before stays behind it. While the server is away, it is read later. */
  async load(): Promise<void> {
    this.view ??= { syncs: [], totals: null, nextCursor: null, isLoading: false };
    this.#isStale = true;
    try {
      await this.#read(null);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
  }

  async loadMore(): Promise<void> {
    if (!this.view) await this.load();
    else if (this.view.nextCursor) await this.#read(this.view.nextCursor);
  }

  /** The server answers again, or the newest ended sync is this one: reads what is missing, without a word on failure. */
  refreshFor(newest: Sync | null): void {
    if (!this.view || this.view.isLoading) return;
    const isMissing = newest !== null && this.view.syncs[0]?.syncId !== newest.syncId;
    if (this.#isStale || isMissing) void this.#read(null).catch(() => {});
  }

  /** Begins anew, for another person; read again with the next connection. */
  forget(): void {
    if (!this.view) return;
    this.#isStale = true;
    this.view = { syncs: [], totals: null, nextCursor: null, isLoading: false };
  }

  async #read(after: string | null): Promise<void> {
    this.#show({ isLoading: true });
    try {
      const { history } = await this.#requests().ask(ReadHistoryDocument, { organizationId: this.#organizationId, after });
      const { recentSyncs, nextCursor, ...totals } = history;
      const page = recentSyncs.filter(isOver);
      const known = this.view?.syncs ?? [];
      if (after !== null) {
        this.#show({ syncs: [...known, ...page], totals, nextCursor });
        return;
      }
      const ids = new Set(page.map(({ syncId }) => syncId));
      const isJoined = known.some(({ syncId }) => ids.has(syncId)); // or there is a gap between both
      const older = known.filter(({ syncId }) => !ids.has(syncId));
      this.#isStale = false;
      this.#show(isJoined && older.length > 0 ? { syncs: [...page, ...older], totals } : { syncs: page, totals, nextCursor });
    } finally {
      this.#show({ isLoading: false });
    }
  }

  #show(part: Partial<HistoryView>): void {
    if (!this.view) return;
    this.view = { ...this.view, ...part };
    this.#changed();
  }
}
