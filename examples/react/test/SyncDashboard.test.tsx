// The component at its documented path, as a person or a screen reader finds it, against a real server.

import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, test } from 'vitest';

import SyncDashboard from '../../SyncDashboard';
import { ORGANIZATION, TestServer, completed, lineOf, listOf, overviewOf, receiptOf, syncOf } from '../../client/test/core/server';
import type { SyncDashboardProps } from '../src';

const PATIENCE = { timeout: 20_000 };
const SYNC_ID = syncOf().syncId;
const FIGURES = {
  activePatients: 89,
  patientsInCliniko: 641,
  patientsWithRecent: 66,
  patientsWithUpcoming: 23,
  lastSyncTime: '2024-12-22T14:30:42.123Z',
};

let server: TestServer;

beforeEach(async () => {
  server = new TestServer();
  await server.start();
});

afterEach(async () => {
  cleanup();
  await server.kill();
});

const show = (props: Partial<SyncDashboardProps> = {}) =>
  render(
    <StrictMode>
      <SyncDashboard organizationId={ORGANIZATION} apiBaseUrl={server.apiBaseUrl} transports={['websocket']} {...props} />
    </StrictMode>,
  );

const button = (name: string) => screen.getByRole<HTMLButtonElement>('button', { name });
const isDisabled = (name: string) => button(name).getAttribute('aria-disabled') === 'true';
const stages = () =>
  within(screen.getByRole('list', { name: 'Steps' }))
    .getAllByRole('listitem')
    .map((step) => step.dataset['stage']);
const messages = () =>
  within(screen.getByRole('log'))
    .getAllByRole('listitem')
    .map((line) => line.querySelector('.routiq-message')?.textContent);

test('before the first sync it says so, and a sync can be started and cancelled', async () => {
  server.show(overviewOf());
  show();
  await screen.findByText('Nothing has been synced yet.', undefined, PATIENCE);
  await screen.findByText('Live · websocket', undefined, PATIENCE);
  expect(screen.getByText('Idle')).toBeTruthy();
  expect([isDisabled('Start sync'), isDisabled('Cancel')]).toEqual([false, true]);

  server.answers['startSync'] = { sync: syncOf() };
  await userEvent.click(button('Start sync'));
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  expect(server.modes).toEqual(['AUTO']);
  await waitFor(() => expect([isDisabled('Start sync'), isDisabled('Cancel')]).toEqual([true, false]), PATIENCE);
  expect(stages()).toEqual(['done', 'done', 'done', 'running', ...Array<string>(4).fill('to come')]);
  expect(screen.getByRole('progressbar', { name: 'Patient sync' }).ariaValueNow).toBe('43');

  const failure = { code: 'CANCELLED', step: 'CHECKING_CREDENTIALS', retryable: true, message: 'Sync cancelled by user', whatToDo: 'Start the sync again.' } as const;
  server.answers['cancelSync'] = {
    sync: syncOf({ status: 'CANCELLED', completedAt: '2024-12-22T14:30:30.123Z', version: 11, failure }),
  };
  await userEvent.click(button('Cancel'));
  await screen.findByText('Cancelled', undefined, PATIENCE);
  expect(screen.getByText('Start the sync again.', { exact: false })).toBeTruthy();
  expect(stages()[3]).toBe('ended');
  await waitFor(() => expect(isDisabled('Start sync')).toBe(false), PATIENCE);
});

test('a completed sync has all steps done, its counts, and the figures of the clinic', async () => {
  server.show(overviewOf({ lastSync: completed(), patientStats: FIGURES }));
  show();
  await screen.findByText('Completed', undefined, PATIENCE);
  expect(stages()).toEqual(Array<string>(8).fill('done'));
  expect(screen.getAllByRole('definition').map(({ textContent }) => textContent)).toEqual(['641', '1,247', '89', '89']);
  expect(screen.getByText(/^89 of 641 patients are active: 66 seen recently/)).toBeTruthy();
  expect(screen.getByText(/^Took 20 s · Ended 2\d Dec 2024, \d\d:30 · full sync$/)).toBeTruthy();
});

const APPOINTMENTS = listOf({ list: 'individual_appointments', inCliniko: 1100, inMirror: 1100, added: 1, updated: 5 });
const PATIENTS = listOf({ added: 1, removed: 1 });
const REFUSED = { inCliniko: null, agrees: null };
const DENIED = listOf({ list: 'practitioners', ...REFUSED, inMirror: 0 });
const ATTENDEES = listOf({ list: 'attendees', ...REFUSED, inMirror: 0, compared: 0, of: 0 });

test.each([
  ['agrees', [PATIENTS, APPOINTMENTS], true, /^Agrees with Cliniko, checked 2\d Dec 2024, \d\d:30; 14 requests; \+2, ~5, −1$/, []],
  ['agrees', [listOf(), DENIED], true, /^Agrees .*; 14 requests; no changes$/, ['Practitioners: not compared, as the key may not read them']],
  ['not compared', [listOf(REFUSED)], null, /^Not compared with Cliniko, checked [^;]*: Cliniko did not count patients; 14 requests/, []],
  [
    'compared in part',
    [listOf(REFUSED), APPOINTMENTS],
    null,
    /^Compared in part with Cliniko, checked 2\d Dec 2024, \d\d:30: Cliniko did not count patients; 14 requests; \+1, ~5$/,
    [],
  ],
  [
    'compared in part',
    [listOf(REFUSED), { ...APPOINTMENTS, ...REFUSED }, ATTENDEES, listOf({ list: 'appointment_types' })],
    null,
    /^Compared in part .*: Cliniko did not count patients and individual appointments, and did not list attendees by class; 14/,
    [],
  ],
  [
    'differs',
    [listOf({ inMirror: 640, agrees: false }), { ...APPOINTMENTS, ...REFUSED }, ATTENDEES],
    false,
    /^Does not agree with Cliniko yet, checked [^:]*:30; 14/,
    [
      'Patients: 641 in Cliniko, 640 stored',
      'Individual appointments: not compared, as Cliniko did not count them',
      'Attendees: not compared, as Cliniko did not list them by class',
    ],
  ],
  ['differs', [listOf({ inMirror: 640, agrees: false }), APPOINTMENTS], false, /^Does not agree with Cliniko yet, checked/, ['Patients: 641 in Cliniko, 640 stored']],
  ['differs', [listOf({ agrees: false })], false, /^Does not agree/, ['Patients: they kept changing during the comparison']],
  [
    'agrees',
    [listOf({ unreadable: 2 }), listOf({ list: 'attendees', agrees: null, compared: 60, of: 147 })],
    true,
    /^Agrees/,
    ['Attendees: compared in 60 of 147 classes', '2 rows of Cliniko can’t be read; the log names the first ones'],
  ],
] as const)('a receipt that %s is put into words', async (verdict, lists, agrees, line, details) => {
  server.show(overviewOf({ lastSync: completed({ receipt: receiptOf([...lists], agrees) }) }));
  const { container } = show();
  await screen.findByText('Completed', undefined, PATIENCE);
  const receipt = container.querySelector<HTMLElement>('.routiq-receipt')!;
  expect(receipt.dataset['verdict']).toBe(verdict);
  expect(receipt.querySelector('p')!.textContent).toMatch(line);
  expect([...receipt.querySelectorAll('li')].map(({ textContent }) => textContent)).toEqual(details);
  if (!agrees) expect(receipt.textContent).not.toMatch(/Agrees/);
});

test('after the first sync a full sync can be started, and the next sync is described', async () => {
  server.show(overviewOf());
  show();
  await screen.findByText('Idle', undefined, PATIENCE);
  expect(screen.queryByRole('button', { name: 'Full sync' })).toBeNull();
  server.show(overviewOf({ lastSync: completed(), patientStats: FIGURES, nextSync: { mode: 'INCREMENTAL', requests: 15, seconds: 6 } }));
  await screen.findByText('The next sync takes a few seconds, 15 requests', undefined, PATIENCE);
  expect(screen.getByText(/^Took 20 s · Ended 2\d Dec 2024, \d\d:30 · full sync$/)).toBeTruthy();

  const next = syncOf({ syncId: 'sync_org_1_20241222_153022', startedAt: '2024-12-22T15:30:22.123Z' });
  server.answers['startSync'] = { sync: next };
  await userEvent.click(screen.getByRole('button', { name: 'Full sync', description: /Reads everything/ }));
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  expect(server.modes).toEqual(['FULL']);
  expect(isDisabled('Full sync')).toBe(true);
  expect(screen.queryByText(/next sync/)).toBeNull();
});

test('a running sync shows its mode and the range of its end', async () => {
  const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
  const range = { earliest: at(500), latest: at(1100) };
  server.show(overviewOf({ currentSync: syncOf({ mode: 'INCREMENTAL', estimatedCompletion: at(800), estimatedCompletionRange: range }) }));
  show();
  await screen.findByText(/^Running for .* · About 13 min \d+ s left \(8 min \d+ s to 18 min \d+ s\) · incremental sync$/, undefined, PATIENCE);
});

test('a failure says what happened and what to do', async () => {
  const failure = { code: 'KEY_REFUSED', step: 'CHECKING_CREDENTIALS', retryable: true, message: 'Cliniko refused the key.', whatToDo: 'Make a new one.' } as const;
  server.show(overviewOf({ lastSync: completed({ status: 'FAILED', currentStepNumber: 3, failure }) }));
  show();
  await screen.findByText('Cliniko refused the key.', undefined, PATIENCE);
  expect(screen.getByText('Make a new one.', { exact: false })).toBeTruthy();
  expect(stages()).toEqual(['done', 'done', 'ended', ...Array<string>(5).fill('not reached')]);
});

test('the log has the newest line first, is filtered by level, can be cleared, and is text whatever it holds', async () => {
  const markup = '<img src=x onerror=alert(1)>';
  server.write(SYNC_ID, lineOf(1), lineOf(2, { level: 'WARNING', message: markup }));
  server.show(overviewOf({ currentSync: syncOf() }));
  show();
  await screen.findByText(markup, undefined, PATIENCE);
  expect(messages()).toEqual([markup, 'Line 1']);
  expect(document.querySelector('img')).toBeNull();

  await userEvent.selectOptions(screen.getByLabelText('Level'), 'Warning');
  expect(messages()).toEqual([markup]);
  expect(screen.getByText('1 line of another level is hidden.')).toBeTruthy();
  await userEvent.click(button('Clear log'));
  expect(screen.getByText('No lines.')).toBeTruthy();
});

test.each([
  ['RATE_LIMIT', /^Waiting for Cliniko's rate limit, resuming in \d s$/, 'Resuming now…'],
  ['CLINIKO_RETRY', /^Waiting to ask Cliniko again, trying again in \d s$/, 'Trying again now…'],
  ['DATABASE', 'Waiting for the database…', null],
] as const)('a wait for %s has its own look and words, which do not stand still', async (waitingFor, text, end) => {
  const resumesAt = end && new Date(Date.now() + 4_000).toISOString();
  const currentStep = 'Waiting for Cliniko, resuming in 23 s';
  server.show(overviewOf({ currentSync: syncOf({ waitingFor, resumesAt, currentStep }) }));
  const { container } = show();
  await screen.findByText(text, undefined, PATIENCE);
  expect(screen.queryByText(/23 s/)).toBeNull();
  expect(container.querySelector(`.routiq-progress[data-waiting=${waitingFor}] [data-running=false]`)).toBeTruthy();
  if (end) await screen.findByText(end, undefined, PATIENCE);
  server.show(overviewOf({ currentSync: syncOf({ version: 11 }) }));
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  expect(container.querySelector('[data-waiting]')).toBeNull();
});

test('a lost connection is reported, and what is known stays in place', async () => {
  server.show(overviewOf({ currentSync: syncOf() }));
  show();
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  await server.kill();
  await screen.findByText('Connection to the server lost.', undefined, PATIENCE);
  await screen.findByText(/Trying again…/, undefined, PATIENCE);
  await screen.findByText(/Trying again… \(in \d s\)/, undefined, PATIENCE);
  expect(screen.getByText('300 of 641 patients')).toBeTruthy();
  await server.start();
  await screen.findByText('Live · websocket', undefined, PATIENCE);
  expect(screen.queryByRole('alert')).toBeNull();
});

test.each([
  [FIGURES, /The stored patients are as of 2\d Dec 2024, \d\d:\d\d\./],
  [overviewOf().patientStats, /No patients are stored yet\./],
])('a failure says what is still stored', async (patientStats, text) => {
  const failure = { code: 'KEY_REFUSED', step: 'CHECKING_CREDENTIALS', retryable: true, message: 'Cliniko refused the key.', whatToDo: 'Make a new one.' } as const;
  server.show(overviewOf({ lastSync: completed({ status: 'FAILED', failure }), patientStats }));
  show();
  await screen.findByText(text, undefined, PATIENCE);
});

test('no button loses the focus by being pressed', async () => {
  server.write(SYNC_ID, lineOf(1));
  server.show(overviewOf());
  server.answers['dashboard'] = overviewOf();
  server.answers['startSync'] = { sync: syncOf() };
  server.answers['cancelSync'] = { sync: completed({ status: 'CANCELLED', version: 11 }) };
  show();
  await screen.findByText('Idle', undefined, PATIENCE);
  for (const [name, shown] of [['Refresh', 'Idle'], ['Start sync', 'Line 1'], ['Clear log', 'No lines.'], ['Cancel', 'Cancelled']] as const) {
    const pressed = button(name);
    await waitFor(() => expect(isDisabled(name)).toBe(false), PATIENCE);
    pressed.focus();
    await userEvent.keyboard('[Enter]');
    await screen.findByText(shown, undefined, PATIENCE);
    expect(document.activeElement).toBe(pressed);
    expect(pressed.isConnected && !pressed.disabled).toBe(true);
  }
});

test('an organization without a connection learns how to get one', async () => {
  server.show(overviewOf({ syncAvailable: false }));
  show();
  await screen.findByText(/to Cliniko, then start a sync\.$/, undefined, PATIENCE);
  expect(isDisabled('Start sync')).toBe(true);
});

const CLINIKO = { state: 'CONNECTED', account: 'Harbour Street Physio', lastValidatedAt: null, problem: null } as const;
const HISTORY = {
  totalSyncs: 2,
  successfulSyncs: 1,
  failedSyncs: 1,
  cancelledSyncs: 0,
  averageSyncDurationSeconds: 20,
};

test('without a choice the log is the only optional part', async () => {
  server.show(overviewOf({ connection: CLINIKO }));
  show();
  await screen.findByText('Idle', undefined, PATIENCE);
  expect(screen.getAllByRole('heading', { level: 3 }).map(({ textContent }) => textContent)).toEqual(['Log']);
});

test('the history shows past syncs with links, and more of them on request', async () => {
  const failure = { code: 'KEY_REFUSED', step: 'CHECKING_CREDENTIALS', retryable: false, message: 'Cliniko refused the key.', whatToDo: '' } as const;
  server.answers['history'] = { ...HISTORY, recentSyncs: [completed({ receipt: receiptOf([listOf()]) })], nextCursor: 'older' };
  const older = completed({ syncId: 'sync_org_1_old', status: 'FAILED', startedAt: '2024-12-21T14:30:22.123Z', failure });
  server.answers['history older'] = { ...HISTORY, recentSyncs: [older], nextCursor: null };
  server.show(overviewOf({ lastSync: completed() }));
  show({ parts: ['history'] });
  const link = await screen.findByRole<HTMLAnchorElement>('link', { name: /22 Dec 2024|23 Dec 2024/ }, PATIENCE);
  expect(link.href).toBe(`${new URL(server.apiBaseUrl).origin}/?organization=${ORGANIZATION}&sync=${SYNC_ID}`);
  expect(screen.queryByRole('log')).toBeNull();
  expect(within(link.closest('li')!).getByText('Agrees with Cliniko')).toBeTruthy();

  await userEvent.click(button('Show more'));
  await screen.findByText('Cliniko refused the key.', undefined, PATIENCE);
  expect(screen.getAllByRole('link')).toHaveLength(2);
  expect(screen.queryByRole('button', { name: 'Show more' })).toBeNull();
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('heading', { level: 2 })), PATIENCE);
});

test.each([
  [(syncId: string) => `/syncs/${syncId}`, `/syncs/${SYNC_ID}`],
  [null, null],
])('an app decides where past syncs are linked to', async (hrefOfSync, href) => {
  server.answers['history'] = { ...HISTORY, recentSyncs: [completed()], nextCursor: null };
  server.show(overviewOf({ lastSync: completed() }));
  const { container } = show({ parts: ['history'], hrefOfSync });
  await waitFor(() => expect(container.querySelector('.routiq-past li')).toBeTruthy(), PATIENCE);
  expect(container.querySelector('.routiq-past a')?.getAttribute('href') ?? null).toBe(href);
});

test('a refused key can be replaced, and the field does not keep it', async () => {
  const failure = { code: 'KEY_REFUSED', step: 'CHECKING_CREDENTIALS', retryable: false, message: 'Cliniko refused the key.', whatToDo: 'Make a new one.' } as const;
  const problem = { code: 'KEY_REFUSED', message: 'Cliniko refuses the key.', whatToDo: 'Enter another.' } as const;
  server.show(overviewOf({ lastSync: completed({ status: 'FAILED', failure }), connection: { ...CLINIKO, state: 'NEEDS_ATTENTION', problem } }));
  show({ parts: ['connection'] });
  await userEvent.click(await screen.findByRole('button', { name: 'Enter another key' }, PATIENCE));
  const field = screen.getByLabelText<HTMLInputElement>('Cliniko API key');
  expect(document.activeElement).toBe(field);

  server.answers['connectCliniko'] = { ok: true, message: 'Connected to Harbour Street Physio.', problem: null, connection: { account: CLINIKO.account } };
  server.answers['dashboard'] = overviewOf({ connection: CLINIKO });
  await userEvent.type(field, 'MS-secret-au1{Enter}');
  expect(field.value).toBe('');
  await screen.findByText('Connected to Harbour Street Physio.', undefined, PATIENCE);
});

test('a failure that may pass offers another try', async () => {
  const failure = { code: 'CLINIKO_UNREACHABLE', step: 'FETCHING_PATIENTS', retryable: true, message: 'Cliniko did not answer.', whatToDo: 'Try again later.' } as const;
  server.show(overviewOf({ lastSync: completed({ status: 'FAILED', failure }) }));
  show();
  server.answers['startSync'] = { sync: syncOf({ syncId: 'sync_org_1_next', startedAt: '2024-12-23T14:30:22.123Z' }) };
  await userEvent.click(await screen.findByRole('button', { name: 'Try again' }, PATIENCE));
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  expect(document.activeElement).toBe(screen.getByRole('heading', { level: 2 })); // the button is gone
});

test('each change is announced once, and a page that was just opened is silent', async () => {
  server.show(overviewOf({ currentSync: syncOf() }));
  show();
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  expect(screen.getAllByRole('status').map(({ textContent }) => textContent)).toEqual(['']);
  server.show(overviewOf({ currentSync: syncOf({ version: 11, status: 'ANALYZING', step: 'ANALYZING', currentStepNumber: 7, currentStep: 'Analyzing…' }) }));
  await waitFor(() => expect(screen.getByRole('status').textContent).toBe('Step 7 of 8: Analyzing'), PATIENCE);
  server.show(overviewOf({ lastSync: completed({ receipt: receiptOf([listOf()]) }) }));
  await waitFor(() => expect(screen.getByRole('status').textContent).toBe('Sync completed. Agrees with Cliniko.'), PATIENCE);
});

test('words and numbers are those of the app, and the language is named', async () => {
  server.show(overviewOf({ lastSync: completed(), patientStats: { ...FIGURES, activePatients: 1089 } }));
  const labels = { start: 'Los', COMPLETED: 'Fertig', heading: 'Abgleich', active: '{active} von {all} sind aktiv.' };
  show({ locale: 'de-DE', labels });
  await screen.findByText('Fertig', undefined, PATIENCE);
  expect(screen.getByRole('region', { name: 'Abgleich' }).lang).toBe('de-DE');
  expect(button('Los')).toBeTruthy();
  expect(screen.getByText('1.089 von 641 sind aktiv.')).toBeTruthy();
  expect(screen.getAllByRole('definition').map(({ textContent }) => textContent)).toContain('1.247');
});

test('a sync shows who started it and how long its steps took, and the data how fresh it is', async () => {
  const at = (seconds: number) => new Date(Date.parse('2024-12-22T14:30:22.000Z') + seconds * 1000).toISOString();
  const steps = [
    { step: 'INITIALIZING', startedAt: at(0), endedAt: at(1), waitedSeconds: 0 },
    { step: 'FETCHING_PATIENTS', startedAt: at(1), endedAt: at(13), waitedSeconds: 5 },
  ] as const;
  const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString();
  const lastSync = completed({ steps: [...steps], startedBy: { kind: 'PERSON', name: 'user_7' } });
  server.show(overviewOf({ lastSync, freshness: { checkedAt: hours(-3), freshUntil: hours(-1) } }));
  const { container } = show();
  await screen.findByText(/Started by user_7$/, undefined, PATIENCE);
  expect(screen.getByText('took 1 s')).toBeTruthy();
  expect(screen.getByText('took 12 s, waited 5 s')).toBeTruthy();
  expect(container.querySelector('.routiq-freshness[data-late]')!.textContent).toMatch(/^Checked 3 h ago · /);
});

test('a long log has few lines in the page, and more on request', async () => {
  server.write(SYNC_ID, ...Array.from({ length: 250 }, (_, index) => lineOf(index + 1)));
  server.show(overviewOf({ currentSync: syncOf() }));
  show();
  await screen.findByText('Line 250', undefined, PATIENCE);
  await waitFor(() => expect(messages()).toHaveLength(100), PATIENCE);
  await userEvent.click(button('Show 100 earlier lines'));
  await userEvent.click(button('Show 50 earlier lines'));
  expect(messages()).toHaveLength(250);
});
