// The hook against a server with real sockets: what it adds to the core, whose own tests are in ../client/test/core.

import { act, cleanup, renderHook, waitFor } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ORGANIZATION, TestServer, completed, lineOf, overviewOf, syncOf } from '../../client/test/core/server';
import { type SyncOptions, useSync } from '../src';

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
  const initialProps: SyncOptions = { organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'], ...options };
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
  unmount();
  await waitFor(() => expect(server.openSockets).toBe(0), PATIENCE);
  expect(server.handshakes).toHaveLength(1);
});

test('a sync that someone else has started is shown with its log, to its end', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);

  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);
  expect(result.current).toMatchObject({ status: 'FETCHING_PATIENTS', isRunning: true });

  server.write(SYNC_ID, lineOf(3));
  server.show(overviewOf({ lastSync: completed() }));
  server.endLog(SYNC_ID);
  await waitFor(() => expect(result.current.isRunning).toBe(false), PATIENCE);
  await waitFor(() => expect(seen(result)).toEqual([1, 2, 3]), PATIENCE);
  expect(result.current.status).toBe('COMPLETED');
});

test('a lost connection comes back by itself, without a lost or repeated log line', async () => {
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result } = follow();
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);

  await server.kill();
  await waitFor(() => expect(result.current.connection).toBe('lost'), PATIENCE);
  expect(result.current.sync?.progressPercentage).toBe(43); // what is known stays on the page
  server.write(SYNC_ID, lineOf(3));
  server.show(overviewOf({ currentSync: syncOf({ version: 11, progressPercentage: 47 }) }));
  await server.start();
  await waitFor(() => expect(result.current.connection).toBe('live'), PATIENCE);
  await waitFor(() => expect(seen(result)).toEqual([1, 2, 3]), PATIENCE);
  await waitFor(() => expect(result.current.sync?.version).toBe(11), PATIENCE);
});

test.each([
  ['onCompleted', completed()],
  ['onFailed', completed({ status: 'FAILED' })],
  ['onCancelled', completed({ status: 'CANCELLED' })],
] as const)('%s is called once for a sync that was seen running, and the function may change meanwhile', async (name, ended) => {
  const first = vi.fn();
  const latest = vi.fn();
  const others = { onCompleted: vi.fn(), onFailed: vi.fn(), onCancelled: vi.fn() };
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result, rerender } = follow({ ...others, [name]: first });
  await waitFor(() => expect(result.current.isRunning).toBe(true), PATIENCE);
  const options = { organizationId: ORGANIZATION, apiBaseUrl: server.apiBaseUrl, transports: ['websocket'] as const };
  rerender({ ...options, ...others, [name]: latest });

  server.show(overviewOf({ lastSync: ended }));
  await waitFor(() => expect(latest).toHaveBeenCalledTimes(1), PATIENCE);
  expect(latest.mock.calls[0]![0]).toMatchObject({ syncId: SYNC_ID, status: ended.status });
  server.show(overviewOf({ lastSync: { ...ended, version: 55 } }));
  await waitFor(() => expect(result.current.sync?.version).toBe(55), PATIENCE);
  expect(latest).toHaveBeenCalledTimes(1);
  expect(first).not.toHaveBeenCalled();
  for (const [other, handler] of Object.entries(others)) if (other !== name) expect(handler).not.toHaveBeenCalled();
  expect(server.handshakes).toHaveLength(1);
});

test('a sync that had ended before the page was opened is reported to no callback', async () => {
  const onCompleted = vi.fn();
  server.show(overviewOf({ lastSync: completed() }));
  const { result } = follow({ onCompleted });
  await waitFor(() => expect(result.current.status).toBe('COMPLETED'), PATIENCE);
  expect(onCompleted).not.toHaveBeenCalled();
});

test('start shows the sync of the answer, and cancel its end, whatever the socket says', async () => {
  server.show(overviewOf());
  const { result } = follow({ getToken: () => 'secret' });
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);

  server.answers['startSync'] = { sync: syncOf({ status: 'STARTING', version: 1 }) };
  await act(() => result.current.start());
  expect(result.current).toMatchObject({ status: 'STARTING', error: null });
  expect(result.current.pending.size).toBe(0);

  const failure = { code: 'CANCELLED', step: 'STORING', message: 'Sync cancelled by user', whatToDo: 'Start again.', retryable: true } as const;
  server.answers['cancelSync'] = { sync: completed({ status: 'CANCELLED', version: 9, failure }) };
  await act(() => result.current.cancel());
  expect(result.current).toMatchObject({ status: 'CANCELLED', isRunning: false, sync: { failure } });
  expect(server.authorizations).toEqual(['Bearer secret', 'Bearer secret']);
});

test('start may be the handler of a button, whose event is no mode', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  server.answers['startSync'] = { sync: syncOf() };
  const onClick: (event: object) => Promise<void> = result.current.start;
  await act(() => onClick({ type: 'click' }));
  expect(server.modes).toEqual(['AUTO']);
});

test('an error is a sentence, and is forgotten with the next attempt that works', async () => {
  server.show(overviewOf());
  const { result } = follow();
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  server.answers['startSync'] = new Error('Too many syncs were started. Try again in a minute.');
  await act(() => result.current.start());
  expect(result.current.error).toBe('Too many syncs were started. Try again in a minute.');
  server.answers['startSync'] = { sync: syncOf() };
  await act(() => result.current.start());
  expect(result.current).toMatchObject({ error: null, isRunning: true });
});

test.each([['localhost:8000/api/v1'], [''], [undefined as unknown as string]])('the address %j is refused with a sentence', async (apiBaseUrl) => {
  const { result } = follow({ apiBaseUrl });
  await waitFor(() => expect(result.current.connection).toBe('refused'), PATIENCE);
  expect(result.current.problem).toMatch(/http/);
});

test('another token function keeps the connection; another organization gets a connection of its own', async () => {
  server.show(overviewOf());
  const { result, rerender } = follow({ getToken: () => 'one' });
  await waitFor(() => expect(result.current.status).toBe('IDLE'), PATIENCE);
  const options = { apiBaseUrl: server.apiBaseUrl, transports: ['websocket'] as const, getToken: () => 'two' };
  rerender({ organizationId: ORGANIZATION, ...options });
  server.answers['startSync'] = { sync: syncOf() };
  await act(() => result.current.start());
  expect(server.authorizations).toEqual(['Bearer two']);
  expect(server.handshakes).toHaveLength(1);

  rerender({ organizationId: 'org_2', ...options });
  expect(result.current).toMatchObject({ status: null, sync: null, log: [] });
  await waitFor(() => expect(server.handshakes).toHaveLength(2), PATIENCE);
  await waitFor(() => expect(server.openSockets).toBe(1), PATIENCE);
});

test('cleared lines stay away until they are wanted again, and later lines are added', async () => {
  server.write(SYNC_ID, lineOf(1), lineOf(2));
  server.show(overviewOf({ currentSync: syncOf() }));
  const { result } = follow();
  await waitFor(() => expect(seen(result)).toEqual([1, 2]), PATIENCE);
  act(() => result.current.clearLog());
  server.write(SYNC_ID, lineOf(3));
  await waitFor(() => expect(seen(result)).toEqual([3]), PATIENCE);
  act(() => result.current.restoreLog());
  expect(seen(result)).toEqual([1, 2, 3]);
});
