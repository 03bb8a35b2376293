// The connection of a tab: its own, or that of the tab that leads. Hidden tabs give theirs back, except while a sync runs
// and no visible tab has one, so that titles and events still work.

import { Connection } from './connection';
import type { Copy, Knowledge } from './knowledge';
import type { Requests } from './requests';
import { type TabEnvironment, channelOf } from './tabs/environment';
import { TabGroup } from './tabs/group';
import { Person, groupName } from './tabs/name';
import { type ConnectionView, type LogLine, type Overview, type Sync, type Transport, isOver } from './types';

const HIDDEN_IDLE_MS = 60_000; // how long a hidden tab keeps a connection that no sync needs
const IDENTITY_MS = 30_000; // how often a tab that only listens looks who it is for

/** The messages between tabs. */
type Content =
  | { kind: 'all'; copy: Copy; state: ConnectionView } // of the leader, to tabs that have come
  | { kind: 'news'; overview?: Overview; sync?: Sync; syncId?: string | undefined; lines?: LogLine[] } // of the leader
  | { kind: 'state'; state: ConnectionView } // of the leader
  | { kind: 'wake' }; // to the leader

export interface SharedConnectionOptions {
  organizationId: string;
  requests: Requests;
  knowledge: Knowledge;
  transports: readonly Transport[];
  sharesTabs: boolean;
  tab: TabEnvironment;
  heard: () => void;
  report: (state: ConnectionView) => void;
}

export class SharedConnection {
  readonly #options: SharedConnectionOptions;
  readonly #connection: Connection;
  #group: TabGroup | null = null;
  #name: string | null = null;
  readonly #person = new Person();
  #joining = 0;
  #isIdentified = false;
  #state: ConnectionView | null = null;
  #hasGivenUp = false;
  #isRefused = false; // by the browser, which gives no locks or channels
  #isIdle = false;
  #isClosed = false;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #identityTimer: ReturnType<typeof setInterval> | undefined;
  readonly #stopVisibility: () => void;
  readonly #stopOnline: () => void;
  #sent: { overview: Overview | null; sync: Sync | null; seq: number } = { overview: null, sync: null, seq: 0 };

  constructor(options: SharedConnectionOptions) {
    this.#options = options;
    const { organizationId, requests, knowledge, transports, heard, tab } = options;
    this.#connection = new Connection(organizationId, requests, knowledge, transports, heard, (state) => this.#noteOwnState(state));
    this.#stopVisibility = tab.onVisibility(() => this.#noteVisibility());
    this.#stopOnline = tab.onOnline(() => this.wake(false));
    this.#watchIdle();
    if (!this.#canShare) return;
    requests.tokens.onToken = (token) => void this.#join(token);
    this.#identityTimer = setInterval(() => {
      if (this.#group && !this.#group.isLeader && !tab.isHidden() && requests.tokens.canFetch) void this.#identify();
    }, IDENTITY_MS);
  }

  open(): void {
    if (this.#canShare) void this.#identify();
    else this.#decide();
  }

  close(): void {
    this.#isClosed = true;
    this.#joining += 1;
    clearTimeout(this.#idleTimer);
    clearInterval(this.#identityTimer);
    this.#stopVisibility();
    this.#stopOnline();
    this.#options.requests.tokens.onToken = () => {};
    this.#connection.close();
    this.#group?.close();
  }

  /** Another token: another person, or a good one in place of a refused one. */
  reopen(): void {
    this.#hasGivenUp = false;
    this.#connection.close();
    this.#isIdentified = false;
    this.#leave();
    this.open();
  }

  /** Ends waits early, here or in the tab that leads; see `Connection.wake`. */
  wake(isAsked = true): void {
    if (isAsked || this.#options.requests.tokens.canFetch) this.#hasGivenUp = false;
    this.#decide();
    this.#connection.wake(isAsked);
    if (this.#group && !this.#group.isLeader) this.#send({ kind: 'wake' });
  }

  climb(): Promise<void> {
    return this.#connection.climb();
  }

  syncReplaced(): void {
    this.#connection.syncReplaced();
  }

  /** Sends on what has changed since the last time, if this tab leads. */
  publish(): void {
    this.#decide();
    if (!this.#group?.isLeader || !this.#group.hasOthers) return;
    const { overview, sync, seq } = this.#options.knowledge;
    const sent = this.#sent;
    const after = sent.sync?.syncId === sync?.syncId ? sent.seq : 0;
    const lines = seq > after ? this.#options.knowledge.copy().lines.filter((line) => line.seq > after) : [];
    if (overview === sent.overview && sync === sent.sync && lines.length === 0) return;
    this.#sent = { overview, sync, seq };
    this.#send({
      kind: 'news',
      ...(overview && overview !== sent.overview ? { overview } : {}),
      ...(sync && sync !== sent.sync ? { sync } : {}),
      ...(lines.length > 0 ? { syncId: sync?.syncId, lines } : {}),
    });
  }

  get #canShare(): boolean {
    const { sharesTabs, tab } = this.#options;
    return sharesTabs && !this.#isRefused && tab.locks !== null && tab.openChannel !== null;
  }

  /** Looks whose token this tab has; `join` follows. */
  async #identify(): Promise<void> {
    try {
      await this.#options.requests.tokens.peek();
    } catch {
      this.#isIdentified = true;
      if (!this.#group) this.#decide(); // the connection says why there is no token
    }
  }

  /** Joins the tabs of the person whose token this is, or stays alone. */
  async #join(token: string): Promise<void> {
    const turn = ++this.#joining;
    const { requests, organizationId, tab } = this.#options;
    const name = await groupName(requests.place, organizationId, token, tab.digest).catch(() => null);
    if (turn !== this.#joining || this.#isClosed) return;
    if (token && this.#person.isOther(name)) this.#options.knowledge.forget();
    this.#isIdentified = true;
    if (name === null || name === this.#name || !this.#canShare || !tab.locks || !tab.openChannel) {
      if (name === null) this.#leave();
      this.#decide();
      return;
    }
    this.#leave();
    this.#name = name;
    this.#connection.close();
    const channel = channelOf(tab.openChannel, name);
    if (!channel) {
      this.#stayAlone();
      return;
    }
    this.#group = new TabGroup(name, tab.locks, channel, !tab.isHidden(), {
      lead: () => this.#lead(),
      follow: () => this.#followOther(),
      greeted: () => this.#send({ kind: 'all', copy: this.#options.knowledge.copy(), state: this.#state ?? CONNECTING }),
      heard: (content) => this.#hear(content as Content),
      refused: () => this.#stayAlone(),
    });
    this.#decide();
  }

  #stayAlone(): void {
    this.#isRefused = true;
    this.#leave();
    this.#decide();
  }

  #leave(): void {
    this.#group?.close();
    this.#group = null;
    this.#name = null;
  }

  #followOther(): void {
    this.#connection.close();
    queueMicrotask(() => this.#decide()); // a hidden tab does not wait for the lock
  }

  #lead(): void {
    const { overview, sync, seq } = this.#options.knowledge;
    this.#sent = { overview, sync, seq };
    this.#connection.open(this.#state);
  }

  get #isSyncRunning(): boolean {
    const { sync } = this.#options.knowledge;
    return sync !== null && !isOver(sync);
  }

  /** Whether this tab should be connected, by itself or by another one. */
  get #isNeeded(): boolean {
    if (this.#hasGivenUp) return false;
    if (!this.#options.tab.isHidden()) return true;
    // An event stream takes one of the browser's six connections to a server, which visible tabs need.
    const isScarce = !this.#group && this.#state?.transport === 'stream';
    return !isScarce && (this.#isSyncRunning || !this.#isIdle);
  }

  /** Connects, or gives the connection back. */
  #decide(): void {
    if (this.#isClosed || (this.#canShare && !this.#isIdentified)) return;
    const group = this.#group;
    const connection = this.#connection;
    const isUseful = !this.#options.tab.isHidden() || this.#isSyncRunning || this.#options.knowledge.overview === null;
    const isWanted = this.#isNeeded && (group === null || group.isLeader || isUseful);
    const isGivenBack = !isWanted && !this.#hasGivenUp && (group ? group.isLeader : connection.isOpen);
    if (isGivenBack) {
      const state: ConnectionView = { ...CONNECTING, connection: 'paused' };
      this.#send({ kind: 'state', state });
      if (!group) connection.close();
      group?.setCandidate(false);
      this.#report(state);
    } else if (group) {
      group.setCandidate(isWanted);
    } else if (isWanted) {
      connection.open(this.#state);
    }
  }

  #noteVisibility(): void {
    const isHidden = this.#options.tab.isHidden();
    this.#watchIdle();
    this.#group?.setVisible(!isHidden);
    if (isHidden) {
      this.#decide();
      return;
    }
    this.wake(false);
    if (this.#group && !this.#group.isLeader) void this.#identify();
  }

  #watchIdle(): void {
    clearTimeout(this.#idleTimer);
    this.#isIdle = false;
    if (!this.#options.tab.isHidden()) return;
    this.#idleTimer = setTimeout(() => {
      this.#isIdle = true;
      this.#decide();
    }, HIDDEN_IDLE_MS);
  }

  #noteOwnState(state: ConnectionView): void {
    this.#hasGivenUp = this.#connection.hasGivenUp;
    this.#report(state);
    if (this.#hasGivenUp) this.#decide(); // another tab may have a better token
    else if (this.#group?.isLeader) this.#send({ kind: 'state', state });
  }

  #report(state: ConnectionView): void {
    this.#state = state;
    this.#options.report(state);
  }

  #send(content: Content): void {
    this.#group?.send(content);
  }

  #hear(content: Content): void {
    const { knowledge, heard } = this.#options;
    if (content.kind === 'wake') {
      if (this.#group?.isLeader) this.#connection.wake();
      return;
    }
    if (this.#group?.isLeader) return;
    if (content.kind === 'news' || content.state.connection === 'live') heard();
    if (content.kind === 'all') {
      this.#options.requests.tokens.drop();
      knowledge.noteCopy(content.copy);
      this.#noteLeaderState(content.state);
    } else if (content.kind === 'state') {
      this.#noteLeaderState(content.state);
    } else {
      if (content.overview) knowledge.noteOverview(content.overview);
      if (content.sync) knowledge.noteSync(content.sync);
      const { syncId, lines = [] } = content;
      const isGap = syncId === knowledge.sync?.syncId && lines.length > 0 && lines[0]!.seq > knowledge.seq + 1;
      if (isGap) this.#group?.ask();
      else if (syncId !== undefined) for (const line of lines) knowledge.noteLine(syncId, line);
    }
  }

  #noteLeaderState(state: ConnectionView): void {
    if (state.connection === 'live') this.#hasGivenUp = false;
    if (!this.#hasGivenUp) this.#report(state);
    this.#decide();
  }
}

const CONNECTING: ConnectionView = { connection: 'connecting', transport: null, problem: null, retryAt: null, needsToken: null };
