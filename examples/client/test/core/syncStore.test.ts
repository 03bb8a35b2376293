// The store against a server with real HTTP and real websockets: what it shows, what it survives, what it never does twice.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { type ClientOptions, type Sync, SyncStore, type SyncView } from '../../src/core';
import { ORGANIZATION, TestServer, completed, lineOf, overviewOf, syncOf } from './server';
import { eventually } from './waiting';

const SYNC_ID = syncOf().syncId;

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

/** A store that a page listens to. */
function follow(options: Partial<ClientOptions> = {}): { store: SyncStore; view: () => SyncView; unsubscribe: () => void } {
  const store = new SyncStore({ organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'], ...options });
  const unsubscribe = store.subscribe(() => {});
  leave.push(unsubscribe);
  return { store, view: store.getView, unsubscribe };
}

const seen = (view: () => SyncView) => view().log.map(({ seq }) => seq);

test('a page that listens twice at once has one socket with one subscription, which ends with the last listener', async () => {
  server.show(overviewOf());
  const { store, view, unsubscribe } = follow();
  const other = store.subscribe(() => {});
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', transport: 'websocket', sync: null }));
  expect(server.handshakes).toHaveLength(1);
  expect(server.subscribed.map(({ name }) => name)).toEqual(['WatchOverview']);
  unsubscribe();
  store.subscribe(() => {})(); // as StrictMode does
  expect(view().connection).toBe('live');
  other();
  await eventually(() => expect(server.openSockets).toBe(0));
  expect(view().connection).toBe('connecting');
});

test('the view is the same object until something changes', async () => {
  server.show(overviewOf());
  const { view } = follow();
  await eventually(() => expect(view().connection).toBe('live'));
  expect(view()).toBe(view());
  const before = view();
  server.show(overviewOf({ currentSync: syncOf() }));
  await eventually(() => expect(view()).not.toBe(before));
});

test('a sync that someone else has started is shown with its log, to its end', async () => {
  server.show(overviewOf());
  const { view } = follow();
  await eventually(() => expect(view().overview).not.toBeNull());

  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  await eventually(() => expect(seen(view)).toEqual([1, 2]));

  server.write(SYNC_ID, lineOf(3));
  server.show(overviewOf({ lastSync: completed() }));
  server.endLog(SYNC_ID);
  await eventually(() => expect(seen(view)).toEqual([1, 2, 3]));
  await eventually(() => expect(view().sync).toEqual(completed()));
  expect(server.cursors(SYNC_ID)).toEqual([0]);
});

test('an older state of the same sync, or an older sync, changes nothing', async () => {
  const newest = syncOf({ version: 20, progressPercentage: 60 });
  server.show(overviewOf({ currentSync: newest }));
  const { store, view } = follow();
  await eventually(() => expect(view().sync).toEqual(newest));

  server.answers['startSync'] = { sync: syncOf({ version: 19, progressPercentage: 50 }) };
  await store.start();
  expect(view().sync).toEqual(newest);

  server.answers['dashboard'] = overviewOf({ lastSync: completed({ syncId: 'old', startedAt: '2024-12-21T00:00:00.000Z' }) });
  await store.refresh();
  expect(view().sync).toEqual(newest);
  expect(view().overview?.currentSync).toEqual(newest);

  server.answers['startSync'] = { sync: syncOf({ version: 21, progressPercentage: 61 }) };
  await store.start();
  expect(view().sync?.version).toBe(21);
});

test('after a cut the log continues behind its newest line, with a fresh token', async () => {
  let tokens = 0;
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { view } = follow({ getToken: async () => Promise.resolve(`token-${++tokens}`), sharesTabs: false });
  await eventually(() => expect(seen(view)).toEqual([1, 2]));

  await server.kill();
  await eventually(() => expect(view().connection).toBe('lost'));
  expect(view()).toMatchObject({ sync: syncOf(), transport: null, problem: 'Connection to the server lost.' });
  expect(view().asOf).toBeGreaterThan(0);
  server.write(SYNC_ID, lineOf(3));
  server.show(overviewOf({ currentSync: syncOf({ version: 11, progressPercentage: 47 }) }));
  await server.start();

  await eventually(() => expect(seen(view)).toEqual([1, 2, 3]));
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', problem: null, retryAt: null }));
  expect(view().sync?.version).toBe(11);
  expect(server.cursors(SYNC_ID)).toEqual([0, 2]);
});

test('a log that the server ends too early is asked for again, from where it was', async () => {
  server.write(SYNC_ID, lineOf(1));
  server.endLog(SYNC_ID); // as a server does that is being shut down
  server.show(overviewOf({ currentSync: syncOf() }));
  const { view } = follow();
  await eventually(() => expect(server.cursors(SYNC_ID).slice(0, 2)).toEqual([0, 1]));
  expect(seen(view)).toEqual([1]);
});

test('start shows the sync of the answer, cancel its end, and a refusal is said until the next attempt', async () => {
  server.show(overviewOf());
  const { store, view } = follow({ getToken: () => 'secret', sharesTabs: false });
  await eventually(() => expect(view().connection).toBe('live'));

  server.answers['startSync'] = { sync: syncOf({ status: 'STARTING', version: 1 }) };
  const started = store.start();
  expect([...view().pending]).toEqual(['start']);
  await started;
  expect(view()).toMatchObject({ sync: { status: 'STARTING' } });
  expect(view().pending.size + view().results.size).toBe(0);

  const failure = { code: 'CANCELLED', step: 'INITIALIZING', message: 'Sync cancelled by user', whatToDo: 'Start again.', retryable: true } as const;
  const cancelled = syncOf({ status: 'CANCELLED', version: 2, failure, completedAt: '2024-12-22T14:30:30.000Z' });
  server.answers['cancelSync'] = { sync: cancelled };
  await store.cancel();
  expect(view().sync).toEqual(cancelled);
  expect(server.authorizations).toEqual(['Bearer secret', 'Bearer secret']);

  server.answers['startSync'] = new Error('Too many syncs were started. Try again in a minute.');
  await store.start('FULL');
  expect(view().results.get('startFull')).toEqual({ isError: true, text: 'Too many syncs were started. Try again in a minute.' });
  server.answers['startSync'] = { sync: syncOf({ syncId: 'later', startedAt: '2024-12-23T00:00:00.000Z' }) };
  await store.start('FULL');
  expect(view()).toMatchObject({ sync: { syncId: 'later' }, results: new Map() });
  expect(server.modes).toEqual(['AUTO', 'FULL', 'FULL']);
});

test('what failed because the server was away is no longer said once it is back', async () => {
  server.show(overviewOf());
  const { store, view } = follow();
  await eventually(() => expect(view().connection).toBe('live'));
  await server.kill();
  await store.start();
  expect(view().results.get('start')?.text).toMatch(/^The server at http:\/\/127\.0\.0\.1:\d+ could not be reached\. Is it running\?$/);
  await server.start();
  await eventually(() => expect(view().connection).toBe('live'));
  expect(view().results.size).toBe(0);
});

test('a refused token is not tried again until a person gives another one', async () => {
  server.refusal = 4401;
  server.show(overviewOf());
  const { store, view } = follow();
  await eventually(() => expect(view().connection).toBe('refused'));
  expect(view().needsToken).toBe('The token says who you are and which organization is yours.');
  store.setToken('wrong');
  await eventually(() => expect(view()).toMatchObject({ connection: 'refused', needsToken: 'This token is not accepted here.' }));
  expect(server.attempts).toBe(2);

  server.refusal = null;
  store.setToken('right');
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', needsToken: null, problem: null }));
  expect(server.handshakes.at(-1)).toEqual({ Authorization: 'Bearer right' });
  expect(server.attempts).toBe(3);
});

test('an action that works ends a refusal', async () => {
  server.refusal = 4401;
  server.show(overviewOf());
  const { store, view } = follow();
  await eventually(() => expect(view().connection).toBe('refused'));
  await store.cancel();
  expect(view().connection).toBe('refused');
  server.refusal = null;
  server.answers['startSync'] = { sync: syncOf() };
  await store.start();
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', sync: syncOf() }));
  expect(server.attempts).toBe(2);
});

test('with a function that gives tokens, a refused one is replaced at once, and then with growing pauses', async () => {
  server.refusal = 4403;
  server.show(overviewOf());
  const asked: boolean[] = [];
  const { view } = follow({ getToken: ({ isFresh }) => `token-${asked.push(isFresh)}`, sharesTabs: false });
  await eventually(() => expect(server.attempts).toBeGreaterThanOrEqual(3));
  await eventually(() => expect(view()).toMatchObject({ connection: 'refused', problem: server.reason, needsToken: null }));
  expect(asked.slice(0, 2)).toEqual([false, true]);
  server.refusal = null;
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', problem: null }));
});

/** A token that can be read, as an issuer makes them, and that lives for two seconds. */
function brief(number: number): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'RS256' })}.${encode({ exp: Date.now() / 1000 + 2, jti: String(number) })}.signature`;
}

test('a socket is renewed with fresh tokens for as long as it is open', async () => {
  const tokens: string[] = [];
  const getToken = async () => Promise.resolve((tokens.push(brief(tokens.length)), tokens.at(-1)));
  server.show(overviewOf());
  const { view, unsubscribe } = follow({ getToken, sharesTabs: false });
  await eventually(() => expect(server.renewals.length).toBeGreaterThanOrEqual(3));
  expect(view().connection).toBe('live');
  expect(server.attempts).toBe(1);
  const sent = [...server.handshakes, ...server.renewals];
  expect(sent).toEqual(tokens.slice(0, sent.length).map((token) => ({ Authorization: `Bearer ${token}` })));
  unsubscribe();
  await eventually(() => expect(server.openSockets).toBe(0));
});

test('a token that stays the same is not sent again, and one that can not be fetched breaks nothing', async () => {
  const [first, second] = [brief(1), brief(2)]; // each call makes another token
  const answers = [first, first, new Error('signed out'), second, second];
  let asked = 0;
  server.show(overviewOf());
  const { view } = follow({
    getToken: () => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    sharesTabs: false,
  });
  await eventually(() => expect(asked).toBeGreaterThan(answers.length));
  await eventually(() => expect(server.renewals).toEqual([{ Authorization: `Bearer ${second}` }]));
  expect(server.attempts).toBe(1);
  expect(view()).toMatchObject({ connection: 'live', problem: null });
});

test('a socket whose token has expired is replaced, and no line is lost or repeated', async () => {
  let tokens = 0;
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { view } = follow({ getToken: () => `token-${++tokens}`, sharesTabs: false });
  await eventually(() => expect(seen(view)).toEqual([1, 2]));
  server.expire();
  await eventually(() => expect(server.handshakes).toHaveLength(2));
  server.write(SYNC_ID, lineOf(3));
  await eventually(() => expect(seen(view)).toEqual([1, 2, 3]));
  expect(server.cursors(SYNC_ID)).toEqual([0, 2]);
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', problem: null }));
});

test('where no token can be fetched, that is said and not that the server is away', async () => {
  server.show(overviewOf());
  const { store, view } = follow({ getToken: () => Promise.reject(new Error('signed out')), sharesTabs: false });
  await store.refresh();
  expect(view().results.get('refresh')?.text).toBe('No token could be fetched from where you sign in. Sign in, and try again.');
  await eventually(() => expect(view()).toMatchObject({ connection: 'refused', problem: 'No token could be fetched from where you sign in. Sign in, and try again.' }));
});

test('a server that was never reached is named, and found by itself once it has started', async () => {
  server.show(overviewOf());
  await server.kill();
  const { view } = follow();
  await eventually(() => expect(view().connection).toBe('unreachable'));
  expect(view().problem).toBe(`The server at ${new URL(server.apiBaseUrl).origin} could not be reached. Is it running?`);
  await eventually(() => expect(view().retryAt).not.toBeNull());
  await server.start();
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', problem: null, retryAt: null }));
});

test('another program at the address, or a wrong path, is said to be no Routiq server', async () => {
  server.isAnotherProgram = true;
  const { view } = follow();
  const { origin } = new URL(server.apiBaseUrl);
  await eventually(() => expect(view().connection).toBe('blocked'));
  expect(view().problem).toBe(`There is no Routiq server at ${origin}/graphql. Check the address, and the path that a proxy forwards.`);
  server.isAnotherProgram = false;
  server.show(overviewOf());
  await eventually(() => expect(view().connection).toBe('live'));

  const { view: elsewhere } = follow({ apiBaseUrl: `${origin}/other/api/v1` });
  await eventually(() => expect(elsewhere().problem).toMatch(`no Routiq server at ${origin}/other/graphql.`));
});

test('where requests get through and websockets do not, and nothing else may be used, the proxy is named', async () => {
  server.refusesSockets = true;
  server.answers['dashboard'] = overviewOf();
  server.show(overviewOf());
  const { view } = follow();
  await eventually(() => expect(view().problem).toMatch('A proxy in front of the server has to forward websockets.'));
  expect(view().connection).toBe('blocked');
  server.refusesSockets = false;
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', problem: null }));
});

test('a server that is full is quoted, and tried again', async () => {
  server.refusal = 1013;
  server.show(overviewOf());
  const { view } = follow();
  await eventually(() => expect(view()).toMatchObject({ connection: 'blocked', problem: server.reason }));
  server.refusal = null;
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', problem: null }));
});

test.each([
  ['localhost:8000/api/v1', 'apiBaseUrl is "localhost:8000/api/v1". It has to be an address such as'],
  ['', 'apiBaseUrl is "". It has to be an address such as'],
])('the address %j is refused with a sentence, and nothing is tried', async (apiBaseUrl, problem) => {
  const { store, view } = follow({ apiBaseUrl });
  await eventually(() => expect(view().connection).toBe('refused'));
  expect(view().problem).toMatch(problem);
  await store.start();
  expect(view().results.get('start')?.text).toMatch(problem);
});

test('waits between attempts grow, and a refresh that works ends the one at hand', async () => {
  server.show(overviewOf());
  const { store, view } = follow();
  await eventually(() => expect(view().connection).toBe('live'));
  await server.kill();
  const waits: number[] = [];
  const stop = store.subscribe(() => {
    const { retryAt } = view();
    if (retryAt !== null) waits.push(retryAt - Date.now());
  });
  await eventually(() => expect(waits.length).toBeGreaterThanOrEqual(4));
  stop();
  expect(waits[3]!).toBeGreaterThan(waits[0]!);
  await server.start();
  server.answers['dashboard'] = overviewOf();
  await store.refresh();
  await eventually(() => expect(view().connection).toBe('live'));
});

test('cleared lines stay away, later ones are added, and the reader may have them back', async () => {
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { store, view } = follow();
  await eventually(() => expect(seen(view)).toEqual([1, 2]));
  store.clearLog();
  expect(view()).toMatchObject({ log: [], clearedLines: 2 });
  server.write(SYNC_ID, lineOf(3));
  await eventually(() => expect(seen(view)).toEqual([3]));
  store.restoreLog();
  expect(seen(view)).toEqual([1, 2, 3]);
  expect(view().clearedLines).toBe(0);
});

test('the end of a sync that was seen running is reported once, and that of an older one not at all', async () => {
  const ended: string[] = [];
  server.show(overviewOf({ lastSync: completed() }));
  const { store, view } = follow();
  for (const ending of ['completed', 'failed', 'cancelled'] as const) store.on(ending, ({ syncId }) => ended.push(`${syncId} ${ending}`));
  await eventually(() => expect(view().sync).not.toBeNull());

  const next: Partial<Sync> = { syncId: 'next', startedAt: '2024-12-23T00:00:00.000Z' };
  server.show(overviewOf({ currentSync: syncOf(next) }));
  await eventually(() => expect(view().sync?.syncId).toBe('next'));
  server.show(overviewOf({ lastSync: completed({ ...next, version: 20 }) }));
  await eventually(() => expect(ended).toEqual(['next completed']));
  server.show(overviewOf({ lastSync: completed({ ...next, version: 20 }), syncAvailable: false }));
  await eventually(() => expect(view().overview?.syncAvailable).toBe(false));
  expect(ended).toEqual(['next completed']);
});

test('a page whose own function throws stays connected, and its other functions are called', async () => {
  const reported: unknown[] = [];
  vi.stubGlobal('reportError', (error: Error) => reported.push(error.message));
  const ended: string[] = [];
  server.show(overviewOf({ currentSync: syncOf() }));
  const { store, view } = follow();
  const fail = () => {
    throw new Error('a mistake of the page');
  };
  store.on('completed', fail);
  store.on('completed', ({ syncId }) => ended.push(syncId));
  await eventually(() => expect(view().connection).toBe('live'));
  leave.push(store.subscribe(fail));
  server.show(overviewOf({ lastSync: completed() }));
  await eventually(() => expect(ended).toEqual([SYNC_ID]));
  expect(view().connection).toBe('live');
  expect(server.handshakes).toHaveLength(1);
  expect(new Set(reported)).toEqual(new Set(['a mistake of the page']));
  vi.unstubAllGlobals();
});

test('the end of a sync that a newer one has hidden during an outage is asked for', async () => {
  const ended: string[] = [];
  server.show(overviewOf({ currentSync: syncOf() }));
  const { store, view } = follow();
  store.on('completed', ({ syncId }) => ended.push(syncId));
  await eventually(() => expect(view().sync).not.toBeNull());
  server.answers['syncStatus'] = completed();
  const newer = { startedAt: '2024-12-24T00:00:00.000Z' };
  server.show(overviewOf({ currentSync: syncOf({ ...newer, syncId: 'newer' }), lastSync: completed({ syncId: 'between', startedAt: '2024-12-23T00:00:00.000Z' }) }));
  await eventually(() => expect(ended).toEqual([SYNC_ID]));
});

const totals = { totalSyncs: 3, successfulSyncs: 3, failedSyncs: 0, cancelledSyncs: 0, averageSyncDurationSeconds: 20 };
const past = (...ids: string[]) => ids.map((syncId) => completed({ syncId }));

test('the history is read page by page, and a sync that ends is added to it', async () => {
  server.show(overviewOf({ lastSync: completed({ syncId: 'c' }) }));
  server.answers['history'] = { ...totals, recentSyncs: [syncOf(), ...past('c', 'b')], nextCursor: 'behind b' };
  server.answers['history behind b'] = { ...totals, recentSyncs: past('a'), nextCursor: null };
  const { store, view } = follow();
  const ids = () => view().history?.syncs.map(({ syncId }) => syncId);
  expect(view().history).toBeNull();
  await store.loadHistory();
  expect(ids()).toEqual(['c', 'b']);
  expect(view().history).toMatchObject({ totals, nextCursor: 'behind b', isLoading: false });
  await store.loadMoreHistory();
  expect(ids()).toEqual(['c', 'b', 'a']);
  expect(view().history?.nextCursor).toBeNull();

  server.answers['history'] = { ...totals, totalSyncs: 4, recentSyncs: past('d', 'c'), nextCursor: 'behind c' };
  await eventually(() => expect(view().sync?.syncId).toBe('c'));
  server.show(overviewOf({ lastSync: completed({ syncId: 'd', startedAt: '2024-12-23T00:00:00.000Z' }) }));
  await eventually(() => expect(ids()).toEqual(['d', 'c', 'b', 'a']));
  expect(view().history).toMatchObject({ totals: { totalSyncs: 4 }, nextCursor: null });
});

test('a key that is refused is said in a sentence, and one that is accepted too', async () => {
  server.show(overviewOf());
  const { store, view } = follow();
  await eventually(() => expect(view().connection).toBe('live'));
  const problem = { code: 'KEY_REFUSED', message: 'Cliniko does not accept the API key.', whatToDo: 'Copy it again.' };
  server.answers['connectCliniko'] = { ok: false, message: 'No.', problem, connection: null };
  expect(await store.connectCliniko('wrong')).toEqual({ ok: false, account: null, text: `${problem.message} ${problem.whatToDo}` });
  expect(view().results.get('connect')).toEqual({ isError: true, text: `${problem.message} ${problem.whatToDo}` });

  const connection = { state: 'CONNECTED', account: 'Harbour Street Physio', lastValidatedAt: null, problem: null } as const;
  server.answers['connectCliniko'] = { ok: true, message: 'Connected.', problem: null, connection };
  server.answers['dashboard'] = overviewOf({ connection });
  expect(await store.connectCliniko('right')).toEqual({ ok: true, account: 'Harbour Street Physio', text: 'Connected.' });
  expect(view()).toMatchObject({ overview: { connection } });
  expect(view().results.get('connect')).toEqual({ isError: false, text: 'Connected.' });
});
