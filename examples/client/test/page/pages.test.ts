import { describe, expect, test } from 'vitest';

import { Refused } from '../../src/core/errors';
import type { Requests } from '../../src/core/requests';
import type { PatientRow } from '../../src/page/patients/pages';
import { PAGE_SIZE, PatientPages } from '../../src/page/patients/pages';
import { eventually } from '../core/waiting';

interface Asked {
  first?: number;
  last?: number;
  after?: string | null;
  before?: string | null;
  asOf?: string | null;
}

const QUERY = { organizationId: 'org_1', list: 'ALL', search: null, practitionerId: null, sort: 'NAME' } as const;

/** A server with `total` patients, whose cursors are their positions. */
class Server {
  readonly asked: Asked[] = [];
  problem: Error | null = null;

  constructor(readonly total: number) {}

  readonly requests = (): Requests =>
    ({
      ask: (_document: string, variables: Asked) => {
        this.asked.push(variables);
        return this.problem ? Promise.reject(this.problem) : Promise.resolve({ patients: this.#page(variables) });
      },
    }) as unknown as Requests;

  #page({ first, last = 0, after, before }: Asked) {
    const end = before ? Number(before) : this.total;
    const from = first === undefined ? Math.max(0, end - last) : after ? Number(after) + 1 : 0;
    const to = first === undefined ? end : Math.min(this.total, from + first);
    const edges = Array.from({ length: to - from }, (_edge, index) => ({ cursor: String(from + index), node: { id: `p${from + index}` } as PatientRow }));
    return { totalCount: this.total, asOf: 'sync_1', analyzedAt: '', timeZone: 'UTC', practitioners: [], edges };
  }
}

async function opened(server: Server): Promise<PatientPages> {
  const pages = new PatientPages(QUERY, null, server.requests, () => undefined);
  await pages.open();
  return pages;
}

const read = (pages: PatientPages, count: number): (string | undefined)[] =>
  Array.from({ length: count }, (_id, position) => pages.at(position)?.id).filter(Boolean);

describe('a long list', () => {
  test('is read where a person looks, from the nearer end, each patient once and in its place', async () => {
    const server = new Server(5000);
    const pages = await opened(server);
    pages.want(0, 20);
    expect(server.asked).toHaveLength(1);
    pages.want(4980, 5000);
    await eventually(() => expect(pages.at(4999) !== null).toBe(true));
    expect(server.asked[1]).toMatchObject({ last: PAGE_SIZE, before: null, asOf: 'sync_1' });
    pages.want(4700, 4720);
    await eventually(() => expect(pages.at(4700) !== null).toBe(true));
    expect(server.asked[2]).toMatchObject({ last: PAGE_SIZE, before: '4800' });
    pages.want(700, 720);
    await eventually(() => expect(pages.at(719) !== null).toBe(true));
    for (let position = 0; position < 5000; position += 1) {
      expect(pages.at(position)?.id ?? `p${position}`).toBe(`p${position}`);
    }
  });

  test('is read whole where both ends meet, without asking again', async () => {
    const server = new Server(450);
    const pages = await opened(server);
    pages.want(440, 450);
    await eventually(() => expect(pages.at(449) !== null).toBe(true));
    pages.want(200, 260);
    await eventually(() => expect(read(pages, 450).length === 450).toBe(true));
    const asked = server.asked.length;
    pages.want(0, 450);
    await Promise.resolve();
    expect(server.asked).toHaveLength(asked);
    expect(server.asked.at(-1)).toMatchObject({ last: 50, before: '250' });
  });
});

test('a refusal is shown, and what was read stays; asking again continues', async () => {
  const server = new Server(1000);
  const pages = await opened(server);
  server.problem = new Refused('This sync is not kept any more.');
  pages.want(150, 250);
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
