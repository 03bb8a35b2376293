import { expect, test, vi } from 'vitest';

import { resumable, type Operation, type SocketClient } from '../../src/resume';

const LOG = 'subscription Log($id: ID!, $after: Int) { syncLog(syncId: $id, after: $after) { seq } }';
const CHANGES = 'subscription Changes($id: ID!, $after: String) { patientsChanged(organizationId: $id, after: $after) { cursor } }';

/** What arrives of `events`, and the `after` that a reconnect would send then. */
function followed(operation: Operation, events: unknown[], cursors?: Record<string, string>) {
  const arrived: unknown[] = [];
  let sent: Operation = {};
  const client: SocketClient = {
    subscribe(given, sink) {
      sent = given;
      for (const data of events) sink.next({ data });
      return () => {};
    },
    iterate: () => expect.unreachable(),
  };
  const sink = { next: (result: unknown) => arrived.push(result), error: expect.unreachable, complete: expect.unreachable };
  resumable(client, cursors).subscribe({ variables: { id: '1', after: 0 }, ...operation }, sink);
  return { count: arrived.length, after: sent.variables?.after };
}

const lines = (field: string) => [1, 2, 2].map((seq) => ({ [field]: { seq } }));

test('a subscription resumes behind its last event, whatever its alias', () => {
  for (const [field, query] of [
    ['syncLog', LOG],
    ['lines', LOG.replace('syncLog', 'lines: syncLog')],
    ['id', LOG.replace('syncLog', 'id :syncLog')], // as an argument or a variable may be called
  ] as const) {
    expect(followed({ query }, lines(field)), field).toEqual({ count: 2, after: 2 });
  }
});

test('a named alias of a trusted document resumes, and the subscriptions that need no name as well', () => {
  const cursors = { lines: 'seq' };
  expect(followed({ query: '' }, lines('lines'), cursors)).toEqual({ count: 2, after: 2 });
  expect(followed({ query: CHANGES }, [{ patientsChanged: { cursor: 'b' } }], cursors)).toEqual({ count: 1, after: 'b' });
});

test('other events pass, and a missing cursor is said once', () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  const events = [null, { syncProgress: { version: 3 } }, { __typename: 'Subscription', syncLog: null }];
  expect(followed({ query: LOG }, events)).toEqual({ count: 3, after: 0 });
  expect(warn).not.toHaveBeenCalled();
  expect(followed({ query: LOG }, [{ syncLog: {} }, { syncLog: {} }])).toEqual({ count: 2, after: 0 });
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('Select its field seq'));
});
