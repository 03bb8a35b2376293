/**
 * A list of patients as far as it was read. A page of the server has up to 200 patients, and the list may have 50,000: it is
 * read from both ends, where a person looks, and always from the sync that it began with.
 */

import { sentenceOf } from '../../core/errors';
import type { Requests } from '../../core/requests';
import {
  OpenListDocument,
  type OpenListQuery,
  type PatientPageFragment,
  ReadAfterDocument,
  ReadBeforeDocument,
  type RowFragment,
} from './gql/graphql';
import type { PatientList, PatientSort } from './lists';

/** The most patients in one answer. */
export const PAGE_SIZE = 200;
/** Read before they are in sight, while a person scrolls. */
const AHEAD = 100;

/** What is asked for. */
export interface Query {
  organizationId: string;
  list: PatientList;
  search: string | null;
  practitionerId: string | null;
  sort: PatientSort;
}

export type PatientRow = RowFragment;

/** What is the same for all patients of the list. */
export interface About {
  totalCount: number;
  /** The sync whose result this is. */
  asOf: string;
  analyzedAt: string;
  timeZone: string;
  practitioners: OpenListQuery['patients']['practitioners'];
}

export class PatientPages {
  /** Null until the server has answered. */
  about: About | null = null;
  /** Why it can't be read (further), for people; null while it can. */
  problem: string | null = null;
  readonly query: Query;
  readonly #asOf: string | null;
  readonly #requests: () => Requests;
  /** Called with the positions of new patients. */
  readonly #changed: (from: number, to: number) => void;
  readonly #rows: PatientRow[] = [];
  readonly #closing = new AbortController();
  /** Read are the positions below `#head`, and those from `#tail`. */
  #head = 0;
  #tail = 0;
  #headCursor: string | null = null;
  #tailCursor: string | null = null;
  #wanted: [number, number] = [0, 0];
  #isReading = false;

  /** `asOf`: the id of a sync; null for the newest one. */
  constructor(query: Query, asOf: string | null, requests: () => Requests, changed: (from: number, to: number) => void) {
    this.query = query;
    this.#asOf = asOf;
    this.#requests = requests;
    this.#changed = changed;
  }

  /** Reads the beginning. */
  async open(): Promise<void> {
    await this.#attempt(async () => {
      const { signal } = this.#closing;
      const asked = { ...this.query, first: PAGE_SIZE, asOf: this.#asOf };
      const { patients } = await this.#requests().ask(OpenListDocument, asked, { signal });
      const { totalCount, asOf, analyzedAt, timeZone, practitioners } = patients;
      this.about = { totalCount, asOf, analyzedAt, timeZone, practitioners };
      this.#tail = totalCount;
      this.#takeHead(patients);
    });
  }

  /** Ends requests, and reports nothing any more. */
  close(): void {
    this.#closing.abort();
  }

  /** The patient at a position; null while it was not read. */
  at(position: number): PatientRow | null {
    return this.#rows[position] ?? null;
  }

  /** Reads what is missing of these positions, and what comes next. */
  want(first: number, last: number): void {
    this.#wanted = [first, last];
    if (!this.problem) void this.#read();
  }

  /** Asks again after a failure. */
  retry(): void {
    this.problem = null;
    if (this.about) void this.#read();
    else void this.open();
  }

  async #read(): Promise<void> {
    while (this.about && !this.#isReading && !this.problem && !this.#closing.signal.aborted) {
      const end = this.#nextEnd();
      if (!end) return;
      await this.#attempt(() => (end === 'head' ? this.#readHead() : this.#readTail()));
    }
  }

  // From which end the wanted positions are reached sooner; null if they are all there.
  #nextEnd(): 'head' | 'tail' | null {
    if (this.#head >= this.#tail) return null;
    const [first, last] = this.#wanted;
    const isHeadWanted = first < this.#tail && last + AHEAD > this.#head;
    const isTailWanted = last > this.#head && first - AHEAD < this.#tail;
    if (!isHeadWanted && !isTailWanted) return null;
    if (isHeadWanted && isTailWanted) return last - this.#head <= this.#tail - first ? 'head' : 'tail';
    return isHeadWanted ? 'head' : 'tail';
  }

  async #readHead(): Promise<void> {
    const asked = { ...this.query, first: Math.min(PAGE_SIZE, this.#tail - this.#head), after: this.#headCursor };
    const { patients } = await this.#requests().ask(ReadAfterDocument, asked, { signal: this.#closing.signal });
    this.#takeHead(patients);
  }

  async #readTail(): Promise<void> {
    const last = Math.min(PAGE_SIZE, this.#tail - this.#head);
    const asked = { ...this.query, last, before: this.#tailCursor, asOf: this.#tailCursor ? null : (this.about?.asOf ?? null) };
    const { patients } = await this.#requests().ask(ReadBeforeDocument, asked, { signal: this.#closing.signal });
    const [from, to] = [this.#tail - patients.edges.length, this.#tail];
    this.#put(from, patients);
    this.#tail = patients.edges.length ? from : this.#head;
    this.#tailCursor = patients.edges[0]?.cursor ?? null;
    this.#changed(from, to);
  }

  #takeHead(page: PatientPageFragment): void {
    const from = this.#head;
    this.#put(from, page);
    this.#head = page.edges.length ? from + page.edges.length : this.#tail;
    this.#headCursor = page.edges.at(-1)?.cursor ?? null;
    this.#changed(from, this.#head);
  }

  #put(from: number, { edges }: PatientPageFragment): void {
    edges.forEach(({ node }, index) => {
      this.#rows[from + index] = node;
    });
  }

  async #attempt(read: () => Promise<void>): Promise<void> {
    this.#isReading = true;
    try {
      await read();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.problem = sentenceOf(error);
      this.#changed(0, 0);
    } finally {
      this.#isReading = false;
    }
  }
}
