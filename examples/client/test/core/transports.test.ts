// Each transport against a real server and its emulated clinic: a sync is followed to its end, through whatever happens.

import { afterEach, beforeEach, expect, test } from 'vitest';

import { type ClientOptions, SyncStore, type SyncView, type Transport, isOver } from '../../src/core';
import { DEMO_ORGANIZATION, Demo, Proxy } from './routiq';
import { eventually } from './waiting';

let demo: Demo;
let proxy: Proxy;
const leave: (() => void)[] = [];

beforeEach(async () => {
  demo = new Demo();
  proxy = new Proxy(() => demo.port);
  await proxy.start();
});

afterEach(async () => {
  for (const stop of leave.splice(0)) stop();
  await proxy.end();
  await demo.end();
});

function follow(options: Partial<ClientOptions> = {}): { store: SyncStore; view: () => SyncView } {
  const store = new SyncStore({ organizationId: DEMO_ORGANIZATION, apiBaseUrl: proxy.apiBaseUrl, ...options });
  leave.push(store.subscribe(() => {}));
  return { store, view: store.getView };
}

/** The numbers of the lines that are shown. */
const seen = ({ log }: SyncView) => log.map(({ seq }) => seq);
const upTo = (count: number) => Array.from({ length: count }, (_none, index) => index + 1);

async function expectWholeLog(view: () => SyncView): Promise<void> {
  await eventually(() => expect(view().log.at(-1)?.message).toBe('Sync completed successfully!'));
  expect(seen(view())).toEqual(upTo(view().log.length));
}

/** Has a transport used by refusing the better ones. */
function allowOnly(transport: Transport): void {
  proxy.refusesSockets = transport !== 'websocket';
  proxy.refusesStreams = transport === 'polling';
}

test.each<Transport>(['websocket', 'stream', 'polling'])('a sync is followed to its end by %s, and its end is reported', async (transport) => {
  allowOnly(transport);
  await demo.start({ seconds: 5 });
  const ended: string[] = [];
  const { store, view } = follow();
  store.on('completed', ({ syncId }) => ended.push(syncId));
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', transport, sync: { completedAt: null } }));
  await eventually(() => expect(view().sync).toMatchObject({ status: 'COMPLETED', progressPercentage: 100, mode: 'FULL' }));
  await expectWholeLog(view);
  const { sync } = view();
  expect(ended).toEqual([sync?.syncId]);
  expect(sync?.steps.map(({ step }) => step)).toContain('FETCHING_PATIENTS');
  expect(sync?.startedBy).not.toBeNull();
  expect(sync?.receipt?.agrees).toBe(true);
  expect(Math.abs(view().clockOffset)).toBeLessThan(5000);
});

test.each<Transport>(['websocket', 'stream', 'polling'])('a server that is killed and restarted is followed by %s, without a lost or repeated line', async (transport) => {
  allowOnly(transport);
  await demo.start({ seconds: 20 });
  const { view } = follow();
  await eventually(() => expect(view().sync?.patientsFound).toBeGreaterThan(0));
  await demo.kill();
  await eventually(() => expect(view()).toMatchObject({ connection: 'lost', problem: 'Connection to the server lost.' }));
  const before = seen(view());
  await demo.start({ seconds: 3 });
  await eventually(() => expect(view().sync).toMatchObject({ status: 'COMPLETED' }));
  await expectWholeLog(view);
  expect(seen(view()).slice(0, before.length)).toEqual(before);
  expect(view().log.some(({ message }) => message.includes('Continuing after an interruption'))).toBe(true);
});

test('streams that something on the way holds back are given up for polling', async () => {
  proxy.refusesSockets = proxy.holdsStreams = true;
  await demo.start({ seconds: 12 });
  const { view } = follow();
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', transport: 'polling' }));
  await eventually(() => expect(view().sync).toMatchObject({ status: 'COMPLETED' }));
  await expectWholeLog(view);
});

test('a cut in the middle, and websockets that are refused from then on, cost no line; later the websocket is back', async () => {
  await demo.start({ seconds: 8 });
  const { store, view } = follow();
  await eventually(() => expect(view()).toMatchObject({ transport: 'websocket', sync: { completedAt: null } }));
  await eventually(() => expect(view().log.length).toBeGreaterThan(0));
  proxy.refusesSockets = true;
  proxy.cut();
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', transport: 'stream' }));
  proxy.refusesSockets = false;
  await store.climb(); // which happens once a minute
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', transport: 'websocket' }));
  await eventually(() => expect(view().sync && isOver(view().sync!)).toBe(true));
  await expectWholeLog(view);
});

test('a sync is started, cancelled, found in the history and opened whole', async () => {
  await demo.start({ seconds: 4 });
  const { store, view } = follow();
  await eventually(() => expect(view().sync).toMatchObject({ status: 'COMPLETED' }));
  await store.loadHistory();
  expect(view().history?.syncs).toHaveLength(1);
  await store.start('FULL');
  await eventually(() => expect(view().sync).toMatchObject({ completedAt: null }));
  await store.cancel();
  await eventually(() => expect(view().sync).toMatchObject({ status: 'CANCELLED', cancelledBy: { kind: 'PERSON' } }));
  await eventually(() => expect(view().history?.syncs).toHaveLength(2));

  const first = store.openSync(view().history!.syncs[1]!.syncId);
  leave.push(first.subscribe(() => {}));
  await eventually(() => expect(first.getView()).toMatchObject({ phase: 'ready', isLogComplete: true, sync: { status: 'COMPLETED' } }));
  const { log } = first.getView();
  expect(log.line(log.length - 1).message).toBe('Sync completed successfully!');
  expect(upTo(log.length).map((seq) => log.indexOf(seq))).toEqual(upTo(log.length).map((seq) => seq - 1));
  expect(await (await first.download('text')).text()).toContain('Sync completed successfully!');
  const unknown = store.openSync('sync_unknown');
  leave.push(unknown.subscribe(() => {}));
  await eventually(() => expect(unknown.getView().phase).toBe('missing'));
});

test('tokens are fetched from the sign-in service, and without one a token is asked for', async () => {
  await demo.start({ seconds: 6, auth: true });
  const address = `${proxy.origin}/demo/issuer/token?organization=${DEMO_ORGANIZATION}&role=admin`;
  const getToken = async () => ((await (await fetch(address, { method: 'POST' })).json()) as { token: string }).token;
  const { store, view } = follow();
  await eventually(() => expect(view()).toMatchObject({ connection: 'refused', overview: null }));
  expect(view().needsToken).toBe('The token says who you are and which organization is yours.');
  store.setToken('wrong');
  await eventually(() => expect(view().needsToken).toBe('This token is not accepted here.'));
  store.setToken(await getToken());
  await eventually(() => expect(view()).toMatchObject({ connection: 'live', needsToken: null }));

  const { view: asking } = follow({ getToken });
  await eventually(() => expect(asking().sync).toMatchObject({ status: 'COMPLETED' }));
  await expectWholeLog(asking);
});
