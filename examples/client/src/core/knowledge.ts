// What is known of an organization's syncs, whichever way it came. Answers may overtake each other, and two transports may
// bring the same line, so only what is newer than the known is taken.

import { Clock } from './clock';
import { type LogLine, MOST_LINES, type Overview, type Sync, isOver } from './types';

/** Called when something has changed; at once, except for log lines, which come in crowds. */
export interface Listener {
  changed: () => void;
  /** Another sync is the newest one, and its log is not known yet. */
  syncReplaced: () => void;
  /** A sync that was seen running has ended. */
  ended: (sync: Sync) => void;
  /** A sync was seen running, and a newer one has hidden its end. */
  unseenEnd: (syncId: string) => void;
  /** The newest sync that has ended is this one. */
  newestEnded: (sync: Sync) => void;
  /** Nothing is known any more. */
  forgotten: () => void;
}

/** A copy for another tab. */
export interface Copy {
  overview: Overview | null;
  sync: Sync | null;
  lines: readonly LogLine[];
  dropped: number;
}

export class Knowledge {
  readonly clock = new Clock();
  overview: Overview | null = null;
  sync: Sync | null = null;
  /** When `sync` last changed, by this page's clock. */
  heardAt = 0;
  /** The number of the newest line of its log; transports continue behind it. */
  seq = 0;
  /** The lines that may be shown. A new array whenever it changes. */
  log: readonly LogLine[] = [];
  dropped = 0;
  #lines: LogLine[] = [];
  #clearedUpTo = 0;
  #runningSyncId: string | null = null;
  #flush: ReturnType<typeof setTimeout> | null = null;
  readonly #listener: Listener;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  get cleared(): number {
    return this.#lines.length - this.log.length;
  }

  noteOverview(overview: Overview): void {
    const newest = overview.currentSync ?? overview.lastSync;
    if (newest && this.#isOutdated(newest)) return;
    this.overview = overview;
    if (overview.lastSync) this.noteEnd(overview.lastSync);
    if (newest) this.#takeSync(newest);
    else if (this.sync && isOver(this.sync)) this.#replaceSync(null); // it was erased
    if (overview.lastSync) this.#listener.newestEnded(overview.lastSync);
    this.#change();
  }

  noteSync(sync: Sync): void {
    if (this.#isOutdated(sync)) return;
    this.#takeSync(sync);
    this.#change();
  }

  /** Takes a line of a sync's log, unless it is known or of another sync. */
  noteLine(syncId: string, line: LogLine): void {
    if (this.sync?.syncId !== syncId || line.seq <= this.seq) return;
    this.seq = line.seq;
    this.#lines.push(line);
    this.#flush ??= setTimeout(() => this.#change());
  }

  /** The final state of a sync that is not the newest any more. */
  noteEnd(sync: Sync): void {
    if (sync.syncId !== this.#runningSyncId || !isOver(sync)) return;
    this.#runningSyncId = null;
    this.#listener.ended(sync);
  }

  /** Begins anew, for another person. */
  forget(): void {
    this.overview = this.#runningSyncId = null;
    this.#replaceSync(null);
    this.#listener.forgotten();
    this.#change();
  }

  clearLog(): void {
    this.#clearedUpTo = this.seq;
    this.log = [];
    this.#change();
  }

  restoreLog(): void {
    this.#clearedUpTo = 0;
    this.log = [...this.#lines];
    this.#change();
  }

  copy(): Copy {
    return { overview: this.overview, sync: this.sync, lines: this.#lines, dropped: this.dropped };
  }

  /** Takes what another tab knows. */
  noteCopy({ overview, sync, lines, dropped }: Copy): void {
    if (overview) this.noteOverview(overview);
    if (!sync) return;
    this.noteSync(sync);
    if (this.sync?.syncId !== sync.syncId) return;
    if (this.seq === 0) this.dropped = dropped;
    for (const line of lines) this.noteLine(sync.syncId, line);
  }

  #takeSync(sync: Sync): void {
    const isSame = this.sync?.syncId === sync.syncId;
    if (isSame && this.sync?.version === sync.version) return;
    if (!isSame) {
      const missed = this.#runningSyncId;
      if (missed !== null && missed !== sync.syncId) {
        this.#runningSyncId = null;
        this.#listener.unseenEnd(missed);
      }
      this.#replaceSync(sync);
    }
    // What is pushed is news; the first state of a sync that waits may be a minute old.
    if (isSame && !isOver(sync)) this.clock.noteNow(Date.parse(sync.lastUpdated));
    else this.clock.notePast(Date.parse(sync.lastUpdated));
    this.sync = sync;
    this.heardAt = Date.now();
    if (isOver(sync)) this.noteEnd(sync);
    else this.#runningSyncId = sync.syncId;
    if (!isSame) this.#listener.syncReplaced();
  }

  #replaceSync(sync: Sync | null): void {
    this.sync = sync;
    this.seq = this.#clearedUpTo = this.dropped = 0;
    this.#lines = [];
    this.log = [];
  }

  /** Whether an older state than the known one, or an older sync. */
  #isOutdated(sync: Sync): boolean {
    const known = this.sync;
    if (!known) return false;
    if (known.syncId === sync.syncId) return sync.version < known.version;
    if (sync.startedAt !== known.startedAt) return sync.startedAt < known.startedAt;
    return sync.syncId.length < known.syncId.length; // of the same second: the later one has a longer id
  }

  #change(): void {
    if (this.#flush !== null) {
      clearTimeout(this.#flush);
      this.#flush = null;
      const surplus = this.#lines.length - MOST_LINES;
      if (surplus > 0) {
        this.#lines.splice(0, surplus);
        this.dropped += surplus;
      }
      this.log = this.#clearedUpTo ? this.#lines.filter(({ seq }) => seq > this.#clearedUpTo) : [...this.#lines];
    }
    this.#listener.changed();
  }
}
