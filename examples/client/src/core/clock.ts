// How far this page's clock is ahead of the server's. Each time that the server writes down and the page reads later gives
// an upper bound; the smallest one is the best. A negative value means that this page's clock is behind.

export class Clock {
  #bound = Infinity;
  #isRecent = false;

  /** 0 while unknown: a time of long ago says little, unless it lies ahead of this page's clock. */
  get offset(): number {
    if (this.#bound === Infinity) return 0;
    return this.#isRecent ? this.#bound : Math.min(0, this.#bound);
  }

  /** The server's time of something that has just come, in milliseconds since 1970. */
  noteNow(serverTime: number): void {
    this.#note(serverTime, true);
  }

  /** A time that the server wrote down some time ago. */
  notePast(serverTime: number): void {
    this.#note(serverTime, false);
  }

  /** Forgets everything: this page's clock may have been set, or the computer may have slept. */
  reset(): void {
    this.#bound = Infinity;
    this.#isRecent = false;
  }

  #note(serverTime: number, isRecent: boolean): void {
    this.#bound = Math.min(this.#bound, Date.now() - serverTime);
    this.#isRecent ||= isRecent;
  }
}
