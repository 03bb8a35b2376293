// The component at its documented path, as a person or a screen reader finds it, against a real server.

import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, test } from 'vitest';

import SyncDashboard from '../../SyncDashboard';
import { withFigures } from '../src/words';
import { ORGANIZATION, TestServer, completed, lineOf, overviewOf, syncOf } from './server';

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

const show = () =>
  render(
    <StrictMode>
      <SyncDashboard organizationId={ORGANIZATION} apiBaseUrl={server.apiBaseUrl} />
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
  await screen.findByText('Live', undefined, PATIENCE);
  expect(screen.getByText('Idle')).toBeTruthy();
  expect([isDisabled('Start sync'), isDisabled('Cancel')]).toEqual([false, true]);

  server.answers['startSync'] = { sync: syncOf() };
  await userEvent.click(button('Start sync'));
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  await waitFor(() => expect([isDisabled('Start sync'), isDisabled('Cancel')]).toEqual([true, false]), PATIENCE);
  expect(stages()).toEqual(['done', 'done', 'done', 'running', ...Array<string>(4).fill('to come')]);
  expect(screen.getByRole('progressbar', { name: 'Patient sync' }).ariaValueNow).toBe('43');

  const failure = { code: 'CANCELLED', message: 'Sync cancelled by user', whatToDo: 'Start the sync again.' } as const;
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
  expect(screen.getByText('89 of 641 patients')).toBeTruthy();
  expect(screen.getByText('Took 20 s')).toBeTruthy();
});

test('a failure says what happened and what to do', async () => {
  const failure = { code: 'KEY_REFUSED', message: 'Cliniko refused the key.', whatToDo: 'Make a new one.' } as const;
  server.show(overviewOf({ lastSync: completed({ status: 'FAILED', currentStepNumber: 3, failure }) }));
  show();
  await screen.findByText('Cliniko refused the key.', undefined, PATIENCE);
  expect(screen.getByText('Make a new one.', { exact: false })).toBeTruthy();
  expect(stages()).toEqual(['done', 'done', 'ended', ...Array<string>(5).fill('not reached')]);
});

test('the log has the newest line first, is filtered by level, can be cleared, and is text whatever it holds', async () => {
  const markup = '<img src=x onerror=alert(1)>';
  server.write(SYNC_ID, lineOf(SYNC_ID, 1), lineOf(SYNC_ID, 2, { level: 'WARNING', message: markup }));
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
  ['RATE_LIMIT', "Waiting for Cliniko's rate limit"],
  ['CLINIKO_RETRY', 'Waiting to ask Cliniko again'],
  ['DATABASE', 'Waiting for the database of the server'],
] as const)('a wait for %s has its own look and words, which do not stand still', async (waitingFor, text) => {
  const resumesAt = new Date(Date.now() + 4_000).toISOString();
  const currentStep = 'Waiting for Cliniko, resuming in 23 s';
  server.show(overviewOf({ currentSync: syncOf({ waitingFor, resumesAt: waitingFor === 'DATABASE' ? null : resumesAt, currentStep }) }));
  const { container } = show();
  await screen.findByText(text, undefined, PATIENCE);
  expect(screen.queryByText(/23 s/)).toBeNull();
  expect(container.querySelector(`.routiq-progress[data-waiting=${waitingFor}] [data-running=false]`)).toBeTruthy();
  if (waitingFor !== 'DATABASE') {
    await screen.findByText(/resumes in \d s/, undefined, PATIENCE);
    await screen.findByText(/resuming…/, undefined, PATIENCE);
  }
  server.show(overviewOf({ currentSync: syncOf({ version: 11 }) }));
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  expect(container.querySelector('[data-waiting]')).toBeNull();
});

test('a lost connection is told, with what is known left in place', async () => {
  server.show(overviewOf({ currentSync: syncOf() }));
  show();
  await screen.findByText('300 of 641 patients', undefined, PATIENCE);
  await server.kill();
  await screen.findByText('Connection to the server lost.', undefined, PATIENCE);
  await screen.findByText(/Trying again…/, undefined, PATIENCE);
  await screen.findByText(/Trying again… \(in \d s\)/, undefined, PATIENCE);
  expect(screen.getByText('300 of 641 patients')).toBeTruthy();
  await server.start();
  await screen.findByText('Live', undefined, PATIENCE);
  expect(screen.queryByRole('alert')).toBeNull();
});

test.each([
  [FIGURES, /The stored patients are unchanged, as of Dec 2\d, \d\d:\d\d\./],
  [overviewOf().patientStats, /No patients are stored yet\./],
])('a failure says what is still stored', async (patientStats, text) => {
  const failure = { code: 'KEY_REFUSED', message: 'Cliniko refused the key.', whatToDo: 'Make a new one.' } as const;
  server.show(overviewOf({ lastSync: completed({ status: 'FAILED', failure }), patientStats }));
  show();
  await screen.findByText(text, undefined, PATIENCE);
});

test('no button loses the focus by being pressed', async () => {
  server.write(SYNC_ID, lineOf(SYNC_ID, 1));
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

test('an organization without a connection is told how to get one', async () => {
  server.show(overviewOf({ syncAvailable: false }));
  show();
  await screen.findByText('routiq-gql connect', undefined, PATIENCE);
  expect(isDisabled('Start sync')).toBe(true);
});

test('counts in sentences of the server are written like all others', () => {
  expect(withFigures('Fetching appointments… 600 of 1247')).toBe('Fetching appointments… 600 of 1,247');
  expect(withFigures('Found 1247 appointments')).toBe('Found 1,247 appointments');
  expect(withFigures('Skipped row 123456 in 2024')).toBe('Skipped row 123456 in 2024');
});
