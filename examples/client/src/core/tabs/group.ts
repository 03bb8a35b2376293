// The tabs of one browser that follow the same organization as the same person. They elect a leader: the tab that holds a
// lock. The leader has the connection and sends on what it brings; another tab takes over when it closes, is hidden while
// another one is visible, has given up, or is silent.

import type { Channel, Locks } from './environment';

const GREETING_MS = 20;
const BEAT_MS = 2000;
const SILENT_AFTER_MS = 7000;
const THROTTLED_SILENT_AFTER_MS = 150_000; // browsers run the timers of hidden tabs once a minute

/** What tabs say to each other, beside what their owners say. */
type Message =
  | { kind: 'hello'; isVisible: boolean } // a tab has come, or was shown, or missed something: answered by the leader
  | { kind: 'leads' } // a tab leads from now on, or the one that leads was hidden: answered by `hello`
  | { kind: 'beat' } // the leader is there
  | { kind: 'bye' } // the leader closes
  | { kind: 'owner'; content: unknown };

export interface Member {
  /** This tab has to connect. */
  lead: () => void;
  /** Another tab connects. */
  follow: () => void;
  /** A tab asks what is known. Only the leader is asked. */
  greeted: () => void;
  /** Another tab says something, as given to `send`. */
  heard: (content: unknown) => void;
  /** The browser gives this page no locks, such as in a sandboxed frame or with cookies blocked. */
  refused: () => void;
}

export class TabGroup {
  isLeader = false;
  /** Whether another tab has been heard of. */
  hasOthers = false;
  readonly #name: string;
  readonly #locks: Locks;
  readonly #member: Member;
  readonly #channel: Channel;
  #queued: AbortController | null = null;
  #release: (() => void) | null = null;
  #greeting: ReturnType<typeof setTimeout> | null = null;
  #heardLeaderAt = Date.now();
  #lastCheckAt = Date.now();
  readonly #timer: ReturnType<typeof setInterval>;
  #isVisible: boolean;
  #isCandidate = false;
  #isClosed = false;

  constructor(name: string, locks: Locks, channel: Channel, isVisible: boolean, member: Member) {
    this.#name = name;
    this.#locks = locks;
    this.#channel = channel;
    this.#isVisible = isVisible;
    this.#member = member;
    channel.onmessage = ({ data }) => this.#hear(data as Message);
    this.#timer = setInterval(() => this.#check(), BEAT_MS);
    this.#post({ kind: 'hello', isVisible });
  }

  /** Says something to all other tabs. */
  send(content: unknown): void {
    if (this.hasOthers || !this.isLeader) this.#post({ kind: 'owner', content });
  }

  /** Asks the leader for all that it knows. */
  ask(): void {
    this.#post({ kind: 'hello', isVisible: this.#isVisible });
  }

  /** The tab was shown or hidden. */
  setVisible(isVisible: boolean): void {
    this.#isVisible = isVisible;
    if (isVisible) this.ask();
    else if (this.isLeader) this.#post({ kind: 'leads' });
  }

  /** Whether this tab may lead. One that may not and leads gives it up. */
  setCandidate(isCandidate: boolean): void {
    if (isCandidate === this.#isCandidate || this.#isClosed) return;
    this.#isCandidate = isCandidate;
    if (isCandidate) this.#queue(false);
    else this.#resign();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    if (this.#greeting !== null) clearTimeout(this.#greeting);
    if (this.isLeader) this.#post({ kind: 'bye' });
    this.#resign();
    this.#channel.onmessage = null;
    this.#channel.close();
  }

  #hear(message: Message): void {
    switch (message.kind) {
      case 'hello':
        this.hasOthers = true;
        if (!this.isLeader) break;
        if (message.isVisible && !this.#isVisible) this.#handOver();
        else this.#greetSoon();
        break;
      case 'leads':
        this.#heardLeaderAt = Date.now();
        if (!this.isLeader) this.ask();
        break;
      case 'beat':
      case 'bye':
        this.#heardLeaderAt = Date.now();
        break;
      case 'owner':
        this.hasOthers = true;
        if (!this.isLeader) this.#heardLeaderAt = Date.now();
        this.#member.heard(message.content);
    }
  }

  /** Answers tabs that ask at the same time with one message. */
  #greetSoon(): void {
    this.#greeting ??= setTimeout(() => {
      this.#greeting = null;
      if (this.isLeader) this.#member.greeted();
    }, GREETING_MS);
  }

  /** Waits for the lock, and holds it until `release`. */
  #queue(isStolen: boolean): void {
    this.#queued?.abort();
    const queued = (this.#queued = new AbortController());
    const hold = () =>
      new Promise<void>((release) => {
        if (this.#queued !== queued) {
          release();
          return;
        }
        this.#release = release;
        this.isLeader = true;
        this.#post({ kind: 'leads' });
        this.#member.lead();
      });
    // With `steal`, a signal is not allowed.
    const options = isStolen ? { steal: true } : { signal: queued.signal };
    this.#locks.request(this.#name, options, hold).catch((error: unknown) => {
      if (this.#queued !== queued) return; // this tab has left the queue
      if ((error as Error).name !== 'AbortError') {
        this.#member.refused();
        return;
      }
      this.#lose(); // another tab has stolen the lock
      if (this.#isCandidate && !this.#isClosed) this.#queue(false);
    });
  }

  #resign(): void {
    const queued = this.#queued;
    this.#queued = null;
    queued?.abort();
    this.#lose();
  }

  /** Goes to the end of the queue, in which visible tabs wait. */
  #handOver(): void {
    this.#member.greeted(); // what is known goes before the lock
    this.#resign();
    if (this.#isCandidate) this.#queue(false);
  }

  #lose(): void {
    this.#release?.();
    this.#release = null;
    this.#heardLeaderAt = Date.now();
    if (!this.isLeader) return;
    this.isLeader = false;
    if (!this.#isClosed) this.#member.follow();
  }

  #check(): void {
    const now = Date.now();
    const wasAsleep = now - this.#lastCheckAt > 3 * BEAT_MS;
    this.#lastCheckAt = now;
    if (this.isLeader) {
      if (this.hasOthers) this.#post({ kind: 'beat' });
      return;
    }
    if (wasAsleep && this.#isVisible) this.#heardLeaderAt = now; // the leader may have slept, too
    const limit = this.#isVisible ? SILENT_AFTER_MS : THROTTLED_SILENT_AFTER_MS;
    if (!this.#isCandidate || now - this.#heardLeaderAt < limit) return;
    this.#heardLeaderAt = now;
    this.#queue(true);
  }

  #post(message: Message): void {
    if (!this.#isClosed || message.kind === 'bye') this.#channel.postMessage(message);
  }
}
