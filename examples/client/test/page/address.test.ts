// @vitest-environment jsdom
import { beforeEach, expect, test } from 'vitest';

import { changesHref, hrefOf, listHref, organizationOfSync, placeOf, routeOf, takeToken } from '../../src/page/address';

beforeEach(() => history.replaceState(null, '', '/routiq/?organization=org_1&api=http%3A%2F%2Flocalhost%3A9000'));

test('a link to a line of a sync keeps the other parts of the address', () => {
  expect(hrefOf('sync_org_1_20261126_100000', 42)).toBe('?organization=org_1&api=http%3A%2F%2Flocalhost%3A9000&sync=sync_org_1_20261126_100000#L42');
  history.replaceState(null, '', hrefOf('sync_org_1_20261126_100000', 42));
  expect(routeOf(location)).toEqual({ organization: 'org_1', sync: 'sync_org_1_20261126_100000', line: 42, list: null, changes: null });
  expect(hrefOf('')).toBe('?organization=org_1&api=http%3A%2F%2Flocalhost%3A9000');
});

test('without parameters the way back is the path alone', () => {
  history.replaceState(null, '', '/routiq/?sync=sync_org_1_20261126_100000');
  expect(hrefOf('')).toBe('/routiq/');
});

test('the id of a sync names its organization', () => {
  expect(organizationOfSync('sync_org_1_20261126_100000')).toBe('org_1');
  expect(organizationOfSync('sync_a_20200101_000000_20261126_100000_3')).toBe('a_20200101_000000');
  expect(organizationOfSync('nonsense')).toBe('');
});

test('a token leaves the address, and a line stays', () => {
  history.replaceState(null, '', '/?sync=s#L42&token=secret');
  expect(takeToken()).toBe('secret');
  expect(location.hash).toBe('#L42');
  expect(takeToken()).toBe('');
});

test('lines that are no numbers are none', () => {
  for (const hash of ['', '#', '#L', '#Lx', '#L-1', '#L1234567890', '#42']) expect(routeOf({ search: '', hash }).line).toBe(0);
});

test('the API address may be a server or its REST base, and must be a web address', () => {
  expect(placeOf('org_1', 'http://localhost:8000')).toEqual({
    organization: 'org_1',
    api: 'http://localhost:8000/api/v1',
    graphql: 'http://localhost:8000/graphql',
  });
  expect(placeOf('org_1', 'https://example.test/routiq/api/v1/').graphql).toBe('https://example.test/routiq/graphql');
  expect(() => placeOf('org_1', 'ftp://localhost/')).toThrow('must start with http');
  expect(() => placeOf('org_1', 'nowhere')).toThrow(TypeError);
});

test('a list of patients has its list, order, practitioner and sync in the address, and nothing else', () => {
  const asOf = 'sync_org_1_20261126_100000';
  const list = { list: 'LAPSED', sort: 'LAST_APPOINTMENT', practitioner: '501', asOf } as const;
  history.replaceState(null, '', listHref(list));
  expect(location.search).toBe(`?organization=org_1&api=http%3A%2F%2Flocalhost%3A9000&list=LAPSED&sort=LAST_APPOINTMENT&practitioner=501&asOf=${asOf}`);
  expect(routeOf(location)).toEqual({ organization: 'org_1', sync: '', line: 0, list: { ...list, wrong: '' }, changes: null });
  expect(listHref({ list: 'ALL' })).toBe('?organization=org_1&api=http%3A%2F%2Flocalhost%3A9000&list=ALL');
  expect(hrefOf('')).toBe('?organization=org_1&api=http%3A%2F%2Flocalhost%3A9000');
});

test('an address with an unknown list, order or practitioner opens what is usual, and says so', () => {
  const usual = { list: 'ACTIVE', sort: 'NAME', practitioner: '', asOf: '', wrong: '' };
  const { list } = routeOf({ search: '?list=nonsense&sort=up&practitioner=x%27y', hash: '' });
  expect({ ...list, wrong: '' }).toEqual(usual);
  expect(list?.wrong).toMatch(/no list “nonsense”.*no order “up”.*“x'y” is no id of a practitioner/);
  expect(routeOf({ search: '?list=all', hash: '' }).list).toEqual({ ...usual, list: 'ALL' });
  expect(routeOf({ search: '?sync=s&list=ALL', hash: '' }).list).toBeNull();
  expect(routeOf({ search: '?list=ALL&asOf=sync_org_7_20261126_100000', hash: '' }).organization).toBe('org_7');
});

test('the changes of a sync, and since an earlier one, have an address', () => {
  const changes = { sync: 'sync_org_1_20261126_100000', since: 'sync_org_1_20261120_100000' };
  expect(routeOf({ search: changesHref(changes), hash: '' })).toEqual({ organization: 'org_1', sync: '', line: 0, list: null, changes });
  expect(routeOf({ search: '?changes=sync_org_7_20261126_100000', hash: '' })).toMatchObject({ organization: 'org_7', changes: { since: '' } });
});
