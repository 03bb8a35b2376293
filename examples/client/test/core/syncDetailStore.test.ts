// One sync opened whole: past, running, missing, and through an outage.

import { GraphQLError } from 'graphql';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { type SyncDetailView, SyncStore } from '../../src/core';
import { ORGANIZATION, TestServer, completed, lineOf, overviewOf, syncOf } from './server';
import { eventually } from './waiting';

const SYNC_ID = syncOf().syncId;
const seen = ({ log }: SyncDetailView) => Array.from({ length: log.length }, (_none, index) => log.line(index).seq);

let server: TestServer;
const leave: (() => void)[] = [];

beforeEach(async () => {
  server = new TestServer();
  await server.start();
});

afterEach(async () => {
  for (const stop of leave.splice(0)) stop();
  await server.kill();
});

function open(syncId = SYNC_ID): { view: () => SyncDetailView; unsubscribe: () => void } {
  const store = new SyncStore({ organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'] });
  const detail = store.openSync(syncId);
  const unsubscribe = detail.subscribe(() => {});
  leave.push(unsubscribe);
  return { view: detail.getView, unsubscribe };
}

test('a past sync is read with its whole log', async () => {
  server.show(overviewOf({ lastSync: completed({ syncId: 'newer', startedAt: '2024-12-24T00:00:00.000Z' }) }));
  server.answers['syncStatus'] = completed();
  server.write(SYNC_ID, lineOf(1), lineOf(2), lineOf(3));
  const { view, unsubscribe } = open();
  expect(view()).toMatchObject({ phase: 'loading', sync: null });
  await eventually(() => expect(view()).toMatchObject({ phase: 'ready', sync: completed(), isLogComplete: true, problem: null }));
  expect(seen(view())).toEqual([1, 2, 3]);
  expect(view().log.line(0)).toEqual(lineOf(1));
  unsubscribe();
  await eventually(() => expect(server.openSockets).toBe(0));
});

test('a sync whose end the page knows is read together with its log; of any other the log is read after the state', async () => {
  const past = completed({ syncId: 'past', startedAt: '2024-12-20T00:00:00.000Z' });
  server.show(overviewOf({ lastSync: completed() }));
  server.write(SYNC_ID, lineOf(1));
  const hold = () => {
    let release = (): void => undefined;
    server.answers['syncStatus'] = new Promise((resolve) => (release = () => resolve(completed())));
    return () => release();
  };
  const store = new SyncStore({ organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'] });
  leave.push(store.subscribe(() => {}));
  await eventually(() => expect(store.getView().sync?.syncId).toBe(SYNC_ID));

  const answerKnown = hold();
  const known = store.openSync(SYNC_ID);
  leave.push(known.subscribe(() => {}));
  await eventually(() => expect(server.logReads).toHaveLength(1));
  expect(known.getView().phase).toBe('loading');
  answerKnown();
  await eventually(() => expect(known.getView()).toMatchObject({ phase: 'ready', isLogComplete: true }));
  expect(seen(known.getView())).toEqual([1]);
  expect(server.logReads).toHaveLength(1);

  const statesBefore = server.authorizations.length;
  const answerOther = hold();
  const other = store.openSync(past.syncId);
  leave.push(other.subscribe(() => {}));
  await eventually(() => expect(server.authorizations.length).toBeGreaterThan(statesBefore));
  expect(server.logReads).toHaveLength(1);
  answerOther();
  await eventually(() => expect(other.getView().phase).toBe('ready'));
  expect(server.logReads).toHaveLength(2);
});

test('a running sync grows to its end, each line once', async () => {
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  server.answers['syncStatus'] = syncOf();
  const { view } = open();
  await eventually(() => expect(view().phase).toBe('ready'));
  server.write(SYNC_ID, lineOf(3));
  await eventually(() => expect(seen(view())).toEqual([1, 2, 3]));
  server.show(overviewOf({ currentSync: syncOf({ version: 12, progressPercentage: 50 }) }));
  await eventually(() => expect(view().sync?.progressPercentage).toBe(50));

  server.answers['syncStatus'] = completed();
  server.write(SYNC_ID, lineOf(4));
  server.show(overviewOf({ lastSync: completed() }));
  server.endLog(SYNC_ID);
  await eventually(() => expect(view()).toMatchObject({ sync: completed(), isLogComplete: true }));
  await eventually(() => expect(seen(view())).toEqual([1, 2, 3, 4]));
});

test('a sync that has ended unseen, because a newer one runs after an outage, is read to its end', async () => {
  server.show(overviewOf({ currentSync: syncOf() }));
  server.answers['syncStatus'] = syncOf();
  server.write(SYNC_ID, lineOf(1));
  const { view } = open();
  await eventually(() => expect(view().phase).toBe('ready'));
  server.write(SYNC_ID, lineOf(2));
  server.answers['syncStatus'] = completed();
  server.show(overviewOf({ currentSync: syncOf({ syncId: 'newer', startedAt: '2024-12-24T00:00:00.000Z' }) }));
  await eventually(() => expect(view()).toMatchObject({ sync: completed(), isLogComplete: true }));
  expect(seen(view())).toEqual([1, 2]);
});

test('a sync that does not exist is missing, and nothing is repeated', async () => {
  server.show(overviewOf());
  const { view } = open('unknown');
  await eventually(() => expect(view().phase).toBe('missing'));
  expect(view().problem).toMatch(/^There is no such sync/);
});

test('while the server is away the sync is asked for again, with a sentence meanwhile', async () => {
  await server.kill();
  const { view } = open();
  await eventually(() => expect(view().phase).toBe('failed'));
  expect(view().problem).toMatch('could not be reached');
  server.show(overviewOf());
  server.answers['syncStatus'] = completed();
  server.write(SYNC_ID, lineOf(1));
  await server.start();
  await eventually(() => expect(view()).toMatchObject({ phase: 'ready', problem: null }));
  expect(seen(view())).toEqual([1]);
});

test('a sync of another organization is missing, also for a person who may read both', async () => {
  server.show(overviewOf());
  server.answers['syncStatus'] = { ...completed(), organizationId: 'org_other' };
  const { view } = open();
  await eventually(() => expect(view()).toMatchObject({ phase: 'missing', sync: null }));
});

test('a sync that was refused is opened by itself once the person has given a good token', async () => {
  server.refusal = 4401;
  server.answers['syncStatus'] = new GraphQLError(server.reason, { extensions: { code: 'UNAUTHENTICATED' } });
  const store = new SyncStore({ organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'] });
  store.setToken('bad');
  const detail = store.openSync(SYNC_ID);
  leave.push(detail.subscribe(() => {}));
  await eventually(() => expect(detail.getView().phase).toBe('failed'));
  await eventually(() => expect(store.getView().connection).toBe('refused'));
  server.refusal = null;
  server.show(overviewOf({ lastSync: completed() }));
  server.answers['syncStatus'] = completed();
  store.setToken('good');
  await eventually(() => expect(detail.getView()).toMatchObject({ phase: 'ready', problem: null }));
});
