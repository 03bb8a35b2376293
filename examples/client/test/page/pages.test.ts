import { describe, expect, test } from 'vitest';

import { Refused } from '../../src/core/errors';
import type { Requests } from '../../src/core/requests';
import type { PatientRow } from '../../src/page/patients/pages';
import { PAGE_SIZE, PatientPages } from '../../src/page/patients/pages';
import { eventually } from '../core/waiting';

interface Asked {
  first: number;
  skip?: number;
  asOf: string | null;
}

const QUERY = { organizationId: 'org_1', list: 'ALL', search: null, practitionerId: null, sort: 'NAME' } as const;

/** A server with `total` patients. */
class Server {
  readonly asked: Asked[] = [];
  problem: Error | null = null;
  /** Answers wait for a call of `answer`. */
  isSlow = false;
  #waiting: (() => void)[] = [];

  constructor(public total: number) {}

  readonly requests = (): Requests =>
    ({
      ask: async (_document: string, variables: Asked) => {
        this.asked.push(variables);
        if (this.isSlow) await new Promise<void>((answer) => this.#waiting.push(answer));
        if (this.problem) throw this.problem;
        return { patients: this.#page(variables) };
      },
    }) as unknown as Requests;

  get skips(): (number | undefined)[] {
    return this.asked.map(({ skip }) => skip);
  }

  answer(): void {
    for (const one of this.#waiting.splice(0)) one();
  }

  #page({ first, skip = 0 }: Asked) {
    const length = Math.max(0, Math.min(first, this.total - skip));
    const nodes = Array.from({ length }, (_node, index) => ({ id: `p${skip + index}` }) as PatientRow);
    return { totalCount: this.total, asOf: 'sync_1', analyzedAt: '', timeZone: 'UTC', practitioners: [], nodes };
  }
}

async function opened(server: Server): Promise<PatientPages> {
  const pages = new PatientPages(QUERY, null, server.requests, () => undefined);
  await pages.open();
  return pages;
}

describe('a long list', () => {
  test('is read where a person looks, each patient once and in its place, from the same sync', async () => {
    const server = new Server(50_000);
    const pages = await opened(server);
    pages.want(0, 20);
    expect(server.skips).toEqual([undefined]);
    pages.want(49_980, 50_000);
    await eventually(() => expect(pages.at(49_999)?.id).toBe('p49999'));
    pages.want(25_100, 25_120);
    await eventually(() => expect(pages.at(25_119)?.id).toBe('p25119'));
    expect(server.skips).toEqual([undefined, 49_800, 25_000]);
    expect(server.asked.slice(1).every(({ asOf, first }) => asOf === 'sync_1' && first === PAGE_SIZE)).toBe(true);
    pages.want(25_100, 25_120);
    pages.want(0, 20);
    expect(server.asked).toHaveLength(3);
  });

  test('is read at page boundaries before a person comes there', async () => {
    const server = new Server(1000);
    const pages = await opened(server);
    pages.want(380, 399);
    await eventually(() => expect(pages.at(400)?.id).toBe('p400'));
    expect(server.skips).toEqual([undefined, 200, 400]);
  });

  test('that is scrolled through fast is asked for two pages at a time, and not for what was passed', async () => {
    const server = new Server(50_000);
    const pages = await opened(server);
    server.isSlow = true;
    for (let first = 0; first < 40_000; first += 50) pages.want(first, first + 30);
    expect(server.asked).toHaveLength(3);
    server.isSlow = false;
    server.answer();
    await eventually(() => expect(pages.at(39_979)?.id).toBe('p39979'));
    expect(server.asked.length).toBeLessThanOrEqual(5);
  });
});

test('a list that has lost a patient meanwhile shows nobody in the wrong place', async () => {
  const server = new Server(1000);
  const pages = await opened(server);
  server.total = 999;
  pages.want(400, 420);
  await eventually(() => expect(pages.problem).toMatch(/^A patient was removed from this list/));
  expect(pages.at(400)).toBeNull();
});

test('a refusal is shown, and what was read stays; asking again continues', async () => {
  const server = new Server(1000);
  const pages = await opened(server);
  server.problem = new Refused('This sync is not kept any more.');
  pages.want(250, 270);
  await eventually(() => expect(pages.problem !== null).toBe(true));
  expect(pages.problem).toBe('This sync is not kept any more.');
  expect(pages.at(0)?.id).toBe('p0');
  server.problem = null;
  pages.retry();
  await eventually(() => expect(pages.at(249) !== null).toBe(true));
});

test('an empty list is known to be empty', async () => {
  const pages = await opened(new Server(0));
  expect(pages.about?.totalCount).toBe(0);
  pages.want(0, 0);
  expect(pages.at(0)).toBeNull();
});
