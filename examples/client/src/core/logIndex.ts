// The whole log of one sync in memory: plain arrays, as 10,000 lines are read, searched and counted in a few milliseconds.

import { LEVELS, type LogIndex, type LogLevel, type LogLine, STEPS, type SyncStep } from './types';

const zeros = <Key extends string>(keys: readonly Key[]) => Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;

/** Between the digits of a number, as people write it and the server does not: `1,247`, `1.247`, `1 247`. */
const SEPARATORS = /(?<=\d)[,.'’\s](?=\d{3}(?!\d))/g;

export class GrowingLog implements LogIndex {
  version = 0;
  readonly levelCounts = zeros<LogLevel>(LEVELS);
  readonly stepCounts = zeros<SyncStep>(STEPS);
  readonly #lines: LogLine[] = [];
  /** The messages in small letters, as far as a search has needed them. */
  readonly #texts: string[] = [];

  get length(): number {
    return this.#lines.length;
  }

  /** The number of the newest line; 0 without one. */
  get lastSeq(): number {
    return this.#lines.at(-1)?.seq ?? 0;
  }

  readonly line = (index: number): LogLine => {
    const line = this.#lines[index];
    if (!line) throw new RangeError(`The log has no line at ${index}.`);
    return line;
  };

  readonly indexOf = (seq: number): number => {
    let low = 0;
    let high = this.#lines.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#lines[middle]!.seq;
      if (found === seq) return middle;
      if (found < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  };

  readonly search = (query: string, levels: ReadonlySet<LogLevel> | null = null, steps: ReadonlySet<SyncStep> | null = null): Int32Array => {
    const wanted = query.trim().toLowerCase();
    const digits = wanted.replaceAll(SEPARATORS, '');
    const found = new Int32Array(this.#lines.length);
    let count = 0;
    for (let index = 0; index < this.#lines.length; index++) {
      const { level, step, message } = this.#lines[index]!;
      if ((levels && !levels.has(level)) || (steps && !steps.has(step))) continue;
      if (wanted) {
        const text = (this.#texts[index] ??= message.toLowerCase());
        if (!text.includes(wanted) && !text.includes(digits)) continue;
      }
      found[count++] = index;
    }
    return found.subarray(0, count);
  };

  /** Adds the lines that are newer than the newest one. Returns whether there are any. */
  add(lines: readonly LogLine[]): boolean {
    let isNew = false;
    for (const line of lines) {
      if (line.seq <= this.lastSeq) continue;
      this.#lines.push(line);
      this.levelCounts[line.level] += 1;
      this.stepCounts[line.step] += 1;
      isNew = true;
    }
    if (isNew) this.version += 1;
    return isNew;
  }
}
