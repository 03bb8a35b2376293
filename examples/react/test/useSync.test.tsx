// The hook against a real server with real sockets: what it shows, what it survives, and what it never does twice.

import { act, cleanup, renderHook, waitFor } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { endpointOf, socketUrlOf } from '../src/address';
import { type SyncOptions, useSync } from '../src/useSync';
import { ORGANIZATION, TestServer, completed, lineOf, overviewOf, syncOf } from './server';

const PATIENCE = { timeout: 20_000 };
const SYNC_ID = syncOf().syncId;

let server: TestServer;

beforeEach(async () => {
  server = new TestServer();
  await server.start();
});

afterEach(async () => {
  cleanup();
  await server.kill();
});

function follow(options: Partial<SyncOptions> = {}) {
  const initialProps = { organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, ...options };
  return renderHook(useSync, { initialProps, wrapper: StrictMode });
}

const seen = (result: { current: ReturnType<typeof useSync> }) => result.current.log.map(({ seq }) => seq);

test('StrictMode mounts twice and opens one socket with one subscription, which ends with the component', async () => {
  server.show(overviewOf());
  const { result, unmount } = follow();
  expect(result.current).toMatchObject({ connection: 'connecting', status: null });
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  expect(result.current.connection).toBe('live');
  expect(server.handshakes).toHaveLength(1);
  expect(server.openSockets).toBe(1);
  expect(server.subscribed.map(({ name }) => name)).toEqual(['DashboardUpdated']);
  unmount();
  await waitFor(() => expect(server.openSockets).toBe(0), PATIENCE);
  expect(server.handshakes).toHaveLength(1);
});

test('a sync that someone else has started is shown with its log, to its end', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);

  server.write(SYNC_ID, lineOf(SYNC_ID, 1), lineOf(SYNC_ID, 2));
  server.show(overviewOf({ currentSync: syncOf() }));
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);
  expect(result.current).toMatchObject({ status: 'FETCHING_PATIENTS', isRunning: true });

  server.write(SYNC_ID, lineOf(SYNC_ID, 3));
  server.show(overviewOf({ lastSync: completed() }));
  server.endLog(SYNC_ID);
  await waitFor(() => expect(result.current.isRunning).toBe(false), PATIENCE);
  await waitFor(() => expect(seen(result)).toEqual([1, 2, 3]), PATIENCE);
  expect(result.current.sync).toEqual(completed());
  expect(server.cursors(SYNC_ID)).toEqual([0]);
});

test('an older state of the same sync, or an older sync, changes nothing', async () => {
  const newest = syncOf({ version: 20, progressPercentage: 60 });
  server.show(overviewOf({ currentSync: newest }));
  const { result } = follow();
  await waitFor(() => expect(result.current.sync).toEqual(newest), PATIENCE);

  server.answers['startSync'] = { sync: syncOf({ version: 19, progressPercentage: 50 }) };
  await act(() => result.current.start());
  expect(result.current.sync).toEqual(newest);

  server.answers['dashboard'] = overviewOf({ lastSync: completed({ syncId: 'old', startedAt: '2024-12-21T00:00:00.000Z' }) });
  await act(() => result.current.refresh());
  expect(result.current.sync).toEqual(newest);
  expect(result.current.overview?.currentSync).toEqual(newest);

  server.answers['startSync'] = { sync: syncOf({ version: 21, progressPercentage: 61 }) };
  await act(() => result.current.start());
  expect(result.current.sync?.version).toBe(21);
});

test('a line that is cut comes back by itself with a fresh token, and without a lost or repeated log line', async () => {
  let tokens = 0;
  server.write(SYNC_ID, lineOf(SYNC_ID, 1), lineOf(SYNC_ID, 2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result } = follow({ getToken: async () => Promise.resolve(`token-${++tokens}`) });
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);

  await server.kill();
  await waitFor(() => expect(result.current.connection).toBe('lost'), PATIENCE);
  expect(result.current.sync).toEqual(syncOf()); // what is known stays on the page
  server.write(SYNC_ID, lineOf(SYNC_ID, 3));
  server.show(overviewOf({ currentSync: syncOf({ version: 11, progressPercentage: 47 }) }));
  await server.start();

  await waitFor(() => expect(result.current.connection).toBe('live'), PATIENCE);
  await waitFor(() => expect(seen(result)).toEqual([1, 2, 3]), PATIENCE);
  await waitFor(() => expect(result.current.sync?.version).toBe(11), PATIENCE);
  expect(server.cursors(SYNC_ID)).toEqual([0, 2]);
  expect(server.handshakes).toEqual([{ Authorization: 'Bearer token-1' }, { Authorization: 'Bearer token-2' }]);
});

test('a log that the server ends too early is asked for again, from where it was', async () => {
  server.write(SYNC_ID, lineOf(SYNC_ID, 1));
  server.endLog(SYNC_ID); // as a server does that is being shut down
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result } = follow();
  await waitFor(() => expect(server.cursors(SYNC_ID).slice(0, 2)).toEqual([0, 1]), PATIENCE);
  expect(seen(result)).toEqual([1]);
});

test('start shows the sync of the answer, and cancel its end, whatever the socket says', async () => {
  server.show(overviewOf());
  const { result } = follow({ getToken: () => 'secret' });
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);

  server.answers['startSync'] = { sync: syncOf({ status: 'STARTING', version: 1 }) };
  await act(() => result.current.start());
  expect(result.current).toMatchObject({ status: 'STARTING', pending: null, error: null });

  const failure = { code: 'CANCELLED', message: 'Sync cancelled by user', whatToDo: 'Start again.' } as const;
  server.answers['cancelSync'] = { sync: completed({ status: 'CANCELLED', version: 9, failure }) };
  await act(() => result.current.cancel());
  expect(result.current).toMatchObject({ status: 'CANCELLED', isRunning: false, sync: { failure } });
  expect(server.authorizations).toEqual(['Bearer secret', 'Bearer secret']);
});

test('refresh asks once more', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  server.answers['dashboard'] = overviewOf({ lastSync: completed() });
  await act(() => result.current.refresh());
  expect(result.current.status).toBe('COMPLETED');
});

test('what goes wrong is told in words, and is forgotten with the next attempt that works', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);

  server.answers['startSync'] = new Error('Too many syncs were started. Try again in a minute.');
  await act(() => result.current.start());
  expect(result.current.error).toBe('Too many syncs were started. Try again in a minute.');

  await server.kill();
  await act(() => result.current.start());
  expect(result.current.error).toMatch(/^http:\/\/127\.0\.0\.1:\d+ can't be reached\. Is the server running\?$/);

  await server.start();
  server.answers['startSync'] = { sync: syncOf() };
  await act(() => result.current.start());
  expect(result.current).toMatchObject({ error: null, isRunning: true });
});

test('a refused connection is not tried again until a person does something', async () => {
  server.refusal = 4401;
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.connection).toBe('refused'), PATIENCE);
  expect(result.current.error).toMatch(/^This token is not accepted here\. Sign in again/);
  await act(() => result.current.cancel());
  expect(result.current.connection).toBe('refused');
  const attempts = server.attempts;

  server.refusal = null;
  server.answers['startSync'] = { sync: syncOf() };
  await act(() => result.current.start());
  await waitFor(() => expect(result.current.connection).toBe('live'), PATIENCE);
  expect(result.current).toMatchObject({ error: null, isRunning: true });
  expect(server.attempts).toBe(attempts + 1);
});

/** A token that can be read, as an issuer makes them, and that lives for two seconds. */
function brief(number: number): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'RS256' })}.${encode({ exp: Date.now() / 1000 + 2, jti: String(number) })}.signature`;
}

test('a line is renewed with fresh tokens for as long as it is open, and not afterwards', async () => {
  const tokens: string[] = [];
  const getToken = async () => Promise.resolve((tokens.push(brief(tokens.length)), tokens.at(-1)!));
  server.show(overviewOf());
  const { result, unmount } = follow({ getToken });
  await waitFor(() => expect(server.renewals.length).toBeGreaterThanOrEqual(3), PATIENCE);
  expect(result.current.connection).toBe('live');
  expect(server.attempts).toBe(1);
  const sent = [...server.handshakes, ...server.renewals];
  expect(sent).toEqual(tokens.slice(0, sent.length).map((token) => ({ Authorization: `Bearer ${token}` })));

  unmount();
  await waitFor(() => expect(server.openSockets).toBe(0), PATIENCE);
  const asked = tokens.length;
  server.show(overviewOf());
  const renewals = server.renewals.length;
  let others = 100;
  follow({ getToken: () => brief(others++) }); // whose renewals take as long as those would have that must not come
  await waitFor(() => expect(server.renewals.length).toBeGreaterThanOrEqual(renewals + 3), PATIENCE);
  expect(tokens.length).toBeLessThanOrEqual(asked + 1); // one may have been on its way
});

test('a token that stays the same is not sent again, and one that can not be fetched breaks nothing', async () => {
  const answers = [brief(1), brief(1), new Error('signed out'), brief(2), brief(2)];
  let asked = 0;
  server.show(overviewOf());
  const { result } = follow({
    getToken: () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  await waitFor(() => expect(asked).toBeGreaterThan(answers.length), PATIENCE);
  await waitFor(() => expect(server.renewals).toEqual([{ Authorization: `Bearer ${answers[3] as string}` }]), PATIENCE);
  expect(server.attempts).toBe(1);
  expect(result.current).toMatchObject({ connection: 'live', error: null });
});

test('a line whose token has expired comes back with a fresh one, and loses and repeats no log line', async () => {
  let tokens = 0;
  server.write(SYNC_ID, lineOf(SYNC_ID, 1), lineOf(SYNC_ID, 2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result } = follow({ getToken: () => `token-${++tokens}` });
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);

  server.expire();
  await waitFor(() => expect(server.handshakes).toHaveLength(2), PATIENCE);
  server.write(SYNC_ID, lineOf(SYNC_ID, 3));
  await waitFor(() => expect(seen(result)).toEqual([1, 2, 3]), PATIENCE);
  expect(server.handshakes).toEqual([{ Authorization: 'Bearer token-1' }, { Authorization: 'Bearer token-2' }]);
  expect(server.cursors(SYNC_ID)).toEqual([0, 2]);
  expect(result.current).toMatchObject({ connection: 'live', error: null });
});

test('where no token can be fetched, that is said and not that the server is away', async () => {
  server.show(overviewOf());
  const { result } = follow({ getToken: () => Promise.reject(new Error('signed out')) });
  await act(() => result.current.refresh());
  expect(result.current.error).toBe('No token could be fetched from where you sign in.');
});

const sentence = (result: { current: ReturnType<typeof useSync> }) => result.current.problem;

test('a server that was never reached is named, and found by itself once it has started', async () => {
  server.show(overviewOf());
  await server.kill();
  const { result } = follow();
  await waitFor(() => expect(result.current.connection).toBe('unreachable'), PATIENCE);
  const address = new URL(server.apiBaseUrl).origin;
  expect(sentence(result)).toBe(`${address} can't be reached. Is the server running?`);
  await waitFor(() => expect(result.current.retryAt).not.toBeNull(), PATIENCE);

  await server.start();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  expect(result.current).toMatchObject({ connection: 'live', problem: null, retryAt: null, error: null });
});

test('another program at the address, or a wrong path, is said to be no Routiq server', async () => {
  server.isAnotherProgram = true;
  const { result } = follow();
  await waitFor(() => expect(result.current.connection).toBe('blocked'), PATIENCE);
  const { origin } = new URL(server.apiBaseUrl);
  expect(sentence(result)).toBe(`There is no Routiq server at ${origin}/graphql. Check apiBaseUrl and graphqlUrl.`);

  server.isAnotherProgram = false;
  const { result: elsewhere } = follow({ apiBaseUrl: `${origin}/other/api/v1` });
  await waitFor(() => expect(sentence(elsewhere)).toMatch(`no Routiq server at ${origin}/other/graphql.`), PATIENCE);
});

test('where requests get through and websockets do not, the proxy is named as the place to change', async () => {
  server.refusesSockets = true;
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(sentence(result)).toMatch('A proxy in front of the server has to forward websockets.'), PATIENCE);
  expect(result.current.connection).toBe('blocked');
  server.refusesSockets = false;
  await waitFor(() => expect(result.current).toMatchObject({ connection: 'live', problem: null, status: 'IDLE' }), PATIENCE);
});

test('a server that is full is quoted, and tried again', async () => {
  server.refusal = 1013;
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current).toMatchObject({ connection: 'blocked', problem: server.reason }), PATIENCE);
  server.refusal = null;
  await waitFor(() => expect(result.current).toMatchObject({ connection: 'live', problem: null }), PATIENCE);
});

test.each([
  ['localhost:8000/api/v1', 'apiBaseUrl is "localhost:8000/api/v1". It has to be an address such as'],
  ['', 'apiBaseUrl is "". It has to be an address such as'],
  [undefined as unknown as string, 'apiBaseUrl is undefined. It has to be an address such as'],
])('the address %j is refused with a sentence, and nothing is tried', async (apiBaseUrl, problem) => {
  const { result } = follow({ apiBaseUrl });
  await waitFor(() => expect(result.current.connection).toBe('refused'), PATIENCE);
  expect(result.current.error).toMatch(problem);
  await act(() => result.current.start());
  expect(result.current.error).toMatch(problem);
});

test('waits between attempts grow, and a refresh that works ends the one at hand', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.connection).toBe('live'), PATIENCE);
  await server.kill();
  const waits: number[] = [];
  let last: number | null = null;
  await waitFor(() => {
    const { retryAt } = result.current;
    if (retryAt !== null && retryAt !== last) waits.push(retryAt - Date.now());
    last = retryAt;
    expect(waits.length).toBeGreaterThanOrEqual(4);
  }, { ...PATIENCE, interval: 20 });
  expect(waits[3]!).toBeGreaterThan(2 * waits[0]!);
  expect(result.current).toMatchObject({ connection: 'lost', problem: 'Connection to the server lost.' });
  expect(result.current.error).toBeNull();

  await act(() => result.current.refresh());
  expect(result.current.error).toMatch("can't be reached");
  await server.start();
  server.answers['dashboard'] = overviewOf();
  await act(() => result.current.refresh());
  await waitFor(() => expect(result.current.connection).toBe('live'), PATIENCE);
});

test('what failed because the server was away is no longer said once it is back', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.connection).toBe('live'), PATIENCE);
  await server.kill();
  await act(() => result.current.start());
  expect(result.current.error).toMatch("can't be reached");
  await server.start();
  await waitFor(() => expect(result.current).toMatchObject({ connection: 'live', problem: null, error: null }), PATIENCE);
});

test('another token function keeps the connection; another organization gets one of its own', async () => {
  server.show(overviewOf());
  const { result, rerender } = follow({ getToken: () => 'one' });
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  rerender({ organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, getToken: () => 'two' });
  server.answers['startSync'] = { sync: syncOf() };
  await act(() => result.current.start());
  expect(server.authorizations).toEqual(['Bearer two']);
  expect(server.handshakes).toHaveLength(1);

  rerender({ organizationId: 'org_2', apiBaseUrl: server.apiBaseUrl, getToken: () => 'two' });
  expect(result.current).toMatchObject({ status: null, sync: null, log: [] });
  await waitFor(() => expect(server.handshakes).toHaveLength(2), PATIENCE);
  await waitFor(() => expect(server.openSockets).toBe(1), PATIENCE);
  const organizations = server.subscribed.map(({ variables }) => variables['organizationId']).filter(Boolean);
  expect(organizations).toEqual([ORGANIZATION, 'org_2']);
});

test('cleared lines stay away, later ones are added', async () => {
  server.write(SYNC_ID, lineOf(SYNC_ID, 1), lineOf(SYNC_ID, 2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result } = follow();
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);
  act(() => result.current.clearLog());
  server.write(SYNC_ID, lineOf(SYNC_ID, 3));
  await waitFor(() => expect(seen(result)).toEqual([3]), PATIENCE);
});

test('the endpoint is /graphql on the host of the REST address, unless it is given', () => {
  expect(endpointOf('http://localhost:8000/api/v1')).toBe('http://localhost:8000/graphql');
  expect(endpointOf('/api/v1')).toBe(new URL('/graphql', document.baseURI).href);
  expect(endpointOf('https://a.example/api/v1', '/sync/graphql')).toBe('https://a.example/sync/graphql');
  expect(endpointOf('https://a.example/api/v1', 'https://b.example/graphql')).toBe('https://b.example/graphql');
  expect(socketUrlOf('https://a.example/graphql')).toBe('wss://a.example/graphql');
  expect(socketUrlOf('http://localhost:8000/graphql')).toBe('ws://localhost:8000/graphql');
});
