/**
 * A list of patients as far as it was read. The list may have 50,000 and a page of the server up to 200: the pages that a
 * person looks at are read, wherever they are, and always from the sync that the list began with.
 */

import { Refused, mayPass } from '../../core/errors';
import type { Requests } from '../../core/requests';
import { sentenceOf } from '../sentences';
import { OpenListDocument, type OpenListQuery, type PatientPageFragment, ReadPageDocument, type RowFragment } from './gql/graphql';
import type { PatientList, PatientSort } from './lists';

/** The most patients in one answer. */
export const PAGE_SIZE = 200;
/** Rows on either side that are read before they are in sight, while a person scrolls. */
const AHEAD = 60;
/** Requests at the same time: enough for two pages in sight; pages that were scrolled past meanwhile are not asked for. */
const MOST_REQUESTS = 2;

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
  /** Whether the same request may be answered later. */
  mayPass = true;
  /** Whether the list has lost patients since it was opened, as patients are erased: it has to be opened anew. */
  isOutdated = false;
  readonly query: Query;
  readonly #asOf: string | null;
  readonly #requests: () => Requests;
  /** Called with the positions of new patients: from the first one to the one behind the last. */
  readonly #changed: (from: number, to: number) => void;
  readonly #closing = new AbortController();
  /** The patients of the pages that were read, by the number of the page. */
  readonly #pages = new Map<number, readonly PatientRow[]>();
  readonly #asked = new Set<number>();
  #wanted: readonly [number, number] = [0, 0];

  /** `asOf`: the id of a sync; null for the newest one. */
  constructor(query: Query, asOf: string | null, requests: () => Requests, changed: (from: number, to: number) => void) {
    this.query = query;
    this.#asOf = asOf;
    this.#requests = requests;
    this.#changed = changed;
  }

  /** Reads the beginning. */
  async open(): Promise<void> {
    await this.#read(0, async (signal) => {
      const { patients } = await this.#requests().ask(OpenListDocument, { ...this.query, first: PAGE_SIZE, asOf: this.#asOf }, { signal });
      const { totalCount, asOf, analyzedAt, timeZone, practitioners } = patients;
      this.about = { totalCount, asOf, analyzedAt, timeZone, practitioners };
      return patients;
    });
  }

  /** Ends requests, and reports nothing any more. */
  close(): void {
    this.#closing.abort();
  }

  /** The patient at a position; null while it was not read. */
  at(position: number): PatientRow | null {
    return this.#pages.get(Math.floor(position / PAGE_SIZE))?.[position % PAGE_SIZE] ?? null;
  }

  /** Reads what is missing of these positions, from the first one to the one behind the last, and some around them. */
  want(first: number, last: number): void {
    this.#wanted = [first, last];
    this.#readWanted();
  }

  /** Asks again after a failure. */
  retry(): void {
    this.problem = null;
    if (this.about) this.#readWanted();
    else void this.open();
  }

  #readWanted(): void {
    while (this.about && !this.problem && this.#asked.size < MOST_REQUESTS && !this.#closing.signal.aborted) {
      const next = this.#nextPage(this.about.totalCount);
      if (next === null) return;
      void this.#read(next, (signal) => this.#page(next, signal));
    }
  }

  // The pages in sight come first, in their order; then those around them.
  #nextPage(count: number): number | null {
    const [first, last] = this.#wanted;
    return this.#missing(first, last, count) ?? this.#missing(first - AHEAD, last + AHEAD, count);
  }

  #missing(first: number, last: number, count: number): number | null {
    const end = Math.ceil(Math.min(last, count) / PAGE_SIZE);
    for (let page = Math.floor(Math.max(first, 0) / PAGE_SIZE); page < end; page += 1) {
      if (!this.#pages.has(page) && !this.#asked.has(page)) return page;
    }
    return null;
  }

  async #page(page: number, signal: AbortSignal): Promise<PatientPageFragment> {
    const asked = { ...this.query, first: PAGE_SIZE, skip: page * PAGE_SIZE, asOf: this.about?.asOf ?? '' };
    const { patients } = await this.#requests().ask(ReadPageDocument, asked, { signal });
    if (patients.totalCount !== this.about?.totalCount) {
      this.isOutdated = true;
      throw new Refused('A patient was removed from this list. Read it again.');
    }
    return patients;
  }

  async #read(page: number, ask: (signal: AbortSignal) => Promise<PatientPageFragment>): Promise<void> {
    const { signal } = this.#closing;
    this.#asked.add(page);
    try {
      const { nodes } = await ask(signal);
      if (signal.aborted) return;
      this.#pages.set(page, nodes);
      this.#changed(page * PAGE_SIZE, page * PAGE_SIZE + nodes.length);
    } catch (error) {
      if (signal.aborted) return;
      this.problem = sentenceOf(error);
      this.mayPass = mayPass(error);
      this.#changed(0, 0);
    } finally {
      this.#asked.delete(page);
    }
    this.#readWanted();
  }
}
