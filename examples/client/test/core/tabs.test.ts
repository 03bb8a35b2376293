// Several tabs of a browser: who connects, who takes over, what each one shows, and who never shares.

import { GraphQLError } from 'graphql';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { type ClientOptions, SyncStore, type SyncView } from '../../src/core';
import { FakeBrowser, type FakeTab } from './browser';
import { ORGANIZATION, TestServer, completed, lineOf, overviewOf, syncOf } from './server';
import { eventually } from './waiting';

const SYNC_ID = syncOf().syncId;

interface OpenTab {
  tab: FakeTab;
  store: SyncStore;
  view: () => SyncView;
  close: () => void;
}

let server: TestServer;
let browser: FakeBrowser;
const open: OpenTab[] = [];

beforeEach(async () => {
  server = new TestServer();
  browser = new FakeBrowser();
  await server.start();
});

afterEach(async () => {
  for (const { close } of open.splice(0)) close();
  await eventually(() => expect(server.openSockets).toBe(0));
  await server.kill();
});

type TabOptions = Partial<ClientOptions & Pick<FakeTab, 'locks' | 'openChannel'>> & { isHidden?: boolean };

function openTab({ isHidden = false, locks, openChannel, ...options }: TabOptions = {}): OpenTab {
  const tab = browser.tab(isHidden);
  if (locks) tab.locks = locks;
  if (openChannel) tab.openChannel = openChannel;
  const store = new SyncStore({ organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'], ...options }, tab);
  const opened = { tab, store, view: store.getView, close: store.subscribe(() => {}) };
  open.push(opened);
  return opened;
}

const seen = ({ view }: OpenTab) => view().log.map(({ seq }) => seq);

async function live(...tabs: OpenTab[]): Promise<void> {
  for (const { view } of tabs) await eventually(() => expect(view()).toMatchObject({ connection: 'live', overview: {} }));
}

/** A token of a person, as an issuer makes them. */
function tokenOf(person: string, organization = ORGANIZATION): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'RS256' })}.${encode({ iss: 'https://issuer.example', sub: person, o: { id: organization } })}.signature`;
}

test('eight tabs have one connection, and each shows the sync and its whole log', async () => {
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const tabs = Array.from({ length: 8 }, () => openTab());
  await live(...tabs);
  server.write(SYNC_ID, lineOf(3));
  for (const tab of tabs) await eventually(() => expect(seen(tab)).toEqual([1, 2, 3]));
  const late = openTab();
  await eventually(() => expect(seen(late)).toEqual([1, 2, 3]));
  expect(server.attempts).toBe(1);
  server.show(overviewOf({ lastSync: completed() }));
  for (const { view } of [...tabs, late]) await eventually(() => expect(view().sync).toEqual(completed()));
});

test('when the tab that connects is closed, another one takes over without a lost or repeated line', async () => {
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const first = openTab();
  await live(first);
  const second = openTab();
  await live(second);
  await eventually(() => expect(seen(second)).toEqual([1, 2]));
  const states: string[] = [];
  const stop = second.store.subscribe(() => states.push(second.view().connection));
  first.close();
  await eventually(() => expect(server.cursors(SYNC_ID)).toEqual([0, 2]));
  server.write(SYNC_ID, lineOf(3));
  await eventually(() => expect(seen(second)).toEqual([1, 2, 3]));
  stop();
  expect(new Set(states)).toEqual(new Set(['live'])); // its reader notices nothing
});

test('a tab that is shown takes over from a hidden one, which continues to show everything', async () => {
  server.write(SYNC_ID, lineOf(1));
  server.show(overviewOf({ currentSync: syncOf() }));
  const first = openTab();
  await live(first);
  first.tab.hide();
  const second = openTab();
  await live(second);
  await eventually(() => expect(server.attempts).toBe(2));
  await eventually(() => expect(server.openSockets).toBe(1));
  server.write(SYNC_ID, lineOf(2));
  for (const tab of [first, second]) await eventually(() => expect(seen(tab)).toEqual([1, 2]));
  second.tab.hide();
  first.tab.show();
  await eventually(() => expect(server.attempts).toBe(3));
  server.write(SYNC_ID, lineOf(3));
  for (const tab of [first, second]) await eventually(() => expect(seen(tab)).toEqual([1, 2, 3]));
});

test('a tab that is frozen loses the connection to one that is alive', async () => {
  server.write(SYNC_ID, lineOf(1));
  server.show(overviewOf({ currentSync: syncOf() }));
  const first = openTab();
  await live(first);
  const second = openTab();
  await live(second);
  first.tab.freeze();
  server.write(SYNC_ID, lineOf(2));
  await eventually(() => expect(seen(second)).toEqual([1, 2]));
  expect(server.attempts).toBe(2);
});

test('what a tab starts is shown in all, and each notifies its own page of the end', async () => {
  const ended: string[] = [];
  server.show(overviewOf());
  const first = openTab();
  await live(first);
  const second = openTab();
  await live(second);
  first.store.on('completed', () => ended.push('first'));
  second.store.on('completed', () => ended.push('second'));
  server.answers['startSync'] = { sync: syncOf() };
  await second.store.start();
  server.show(overviewOf({ currentSync: syncOf() }));
  for (const { view } of [first, second]) await eventually(() => expect(view().sync).toEqual(syncOf()));
  server.show(overviewOf({ lastSync: completed() }));
  await eventually(() => expect([...ended].sort()).toEqual(['first', 'second']));
});

test('each person, organization and server has its own group, and a token that says no person shares with none', async () => {
  server.show(overviewOf());
  const options: Partial<ClientOptions>[] = [
    {},
    { getToken: () => tokenOf('anna') },
    { getToken: () => tokenOf('anna', 'org_2') },
    { getToken: () => tokenOf('bert') },
    { organizationId: 'org_2' },
    { getToken: () => 'opaque' },
    { sharesTabs: false },
  ];
  const tabs = options.map((one) => openTab(one));
  await live(...tabs);
  expect(server.attempts).toBe(tabs.length);
  expect(tabs.map(({ tab }) => tab.names.length)).toEqual([1, 1, 1, 1, 1, 0, 0]);
  expect(new Set(tabs.flatMap(({ tab }) => tab.names)).size).toBe(5);
  expect(tabs.flatMap(({ tab }) => tab.names).join()).not.toMatch(/anna|bert/);

  const again = openTab({ getToken: () => tokenOf('anna') });
  await live(again);
  expect(server.attempts).toBe(tabs.length);
});

test('a tab whose person changes leaves the tabs of the former one', async () => {
  server.show(overviewOf());
  let person = 'anna';
  const first = openTab({ getToken: () => tokenOf('anna') });
  await live(first);
  const second = openTab({ getToken: () => tokenOf(person) });
  await live(second);
  expect(server.attempts).toBe(1);
  person = 'bert';
  server.answers['dashboard'] = overviewOf();
  await second.store.refresh();
  await eventually(() => expect(server.handshakes.at(-1)).toEqual({ Authorization: `Bearer ${tokenOf('bert')}` }));
  await live(first, second);
  expect(server.openSockets).toBe(2);
});

test('a refused tab does not keep others from connecting with a better token', async () => {
  server.show(overviewOf());
  server.refusal = 4401;
  const first = openTab();
  await eventually(() => expect(first.view()).toMatchObject({ connection: 'refused', needsToken: expect.any(String) as string }));
  server.refusal = null;
  const second = openTab();
  await live(first, second);
  expect(server.attempts).toBe(2);
});

test('tabs that are all refused stay so, and do not pass the connection around', async () => {
  server.refusal = 4401;
  const tabs = [openTab(), openTab(), openTab()];
  for (const { view } of tabs) await eventually(() => expect(view().connection).toBe('refused'));
  const { attempts } = server;
  expect(attempts).toBe(tabs.length);
  const probe = openTab({ organizationId: 'org_2' }); // whose refusal takes as long as another round would
  await eventually(() => expect(probe.view().connection).toBe('refused'));
  expect(server.attempts).toBe(attempts + 1);
});

test('a hidden tab alone keeps its connection while a sync runs', async () => {
  server.show(overviewOf({ currentSync: syncOf() }));
  const only = openTab();
  await live(only);
  only.tab.hide();
  server.show(overviewOf({ currentSync: syncOf({ version: 11, progressPercentage: 60 }) }));
  await eventually(() => expect(only.view().sync?.progressPercentage).toBe(60));
  expect(server.openSockets).toBe(1);
});

test('when a visible tab closes while a sync runs, a hidden one takes over', async () => {
  server.write(SYNC_ID, lineOf(1));
  server.show(overviewOf({ currentSync: syncOf() }));
  const visible = openTab();
  await live(visible);
  const hidden = openTab({ isHidden: true });
  await eventually(() => expect(seen(hidden)).toEqual([1]));
  visible.close();
  server.write(SYNC_ID, lineOf(2));
  await eventually(() => expect(seen(hidden)).toEqual([1, 2]));
});

test('where the browser gives no locks or channels, each tab has its own connection', async () => {
  server.show(overviewOf());
  const refused = () => new DOMException('Access is denied in this context.', 'SecurityError');
  const openChannel = () => {
    throw refused();
  };
  for (const limits of [{ locks: { request: () => Promise.reject(refused()) } }, { openChannel }]) {
    const tabs = [openTab(limits), openTab(limits)];
    await live(...tabs);
    expect(server.openSockets).toBe(2);
    for (const { close } of tabs) close();
    await eventually(() => expect(server.openSockets).toBe(0));
  }
});

test('what one person has read is not shown to the next one in the same tab', async () => {
  server.write(SYNC_ID, lineOf(1));
  server.show(overviewOf({ currentSync: syncOf() }));
  let person = 'anna';
  const tab = openTab({ getToken: () => tokenOf(person) });
  await live(tab);
  await eventually(() => expect(seen(tab)).toEqual([1]));
  person = 'bert';
  server.refusal = 4403;
  server.answers['dashboard'] = new GraphQLError('This token belongs to another organization.', { extensions: { code: 'FORBIDDEN' } });
  await tab.store.refresh();
  await eventually(() => expect(tab.view()).toMatchObject({ connection: 'refused', overview: null, sync: null, log: [] }));
});
