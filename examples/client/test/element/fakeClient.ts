// A client without a server: tests say what it knows, and see what the element asks it for.

import { type Client, type LogLine, NOTHING_YET, type Overview, type Sync, type SyncEnding, type SyncView } from '../../src/core';

export class FakeClient implements Client {
  view: SyncView = NOTHING_YET;
  asked: string[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly handlers = new Map<SyncEnding, Set<(sync: Sync) => void>>();

  get isFollowed(): boolean {
    return this.listeners.size > 0;
  }

  readonly getView = (): SyncView => this.view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly on = (ending: SyncEnding, handler: (sync: Sync) => void): (() => void) => {
    const handlers = this.handlers.get(ending) ?? new Set();
    this.handlers.set(ending, handlers.add(handler));
    return () => handlers.delete(handler);
  };

  /** The next view. */
  show(part: Partial<SyncView>): void {
    this.view = { ...this.view, ...part };
    for (const listener of this.listeners) listener();
  }

  end(ending: SyncEnding, sync: Sync): void {
    for (const handler of this.handlers.get(ending) ?? []) handler(sync);
  }

  readonly start = (mode = 'AUTO'): Promise<void> => this.note(`start ${mode}`);
  readonly cancel = (): Promise<void> => this.note('cancel');
  readonly refresh = (): Promise<void> => this.note('refresh');
  readonly loadHistory = (): Promise<void> => this.note('history');
  readonly loadMoreHistory = (): Promise<void> => this.note('more history');
  readonly clearLog = (): void => void this.note('clear log');
  readonly restoreLog = (): void => void this.note('restore log');
  readonly setToken = (): void => void this.note('set token');
  readonly retryNow = (): void => void this.note('retry');

  readonly connectCliniko = async (apiKey: string) => {
    await this.note(`connect ${apiKey}`);
    return { ok: true, account: null, text: '' };
  };

  readonly openSync = (): never => {
    throw new Error('The element opens no sync.');
  };

  private note(what: string): Promise<void> {
    this.asked.push(what);
    return Promise.resolve();
  }
}

export const SYNC: Sync = {
  syncId: 'sync_1',
  mode: 'FULL',
  status: 'FETCHING_PATIENTS',
  step: 'FETCHING_PATIENTS',
  progressPercentage: 42,
  currentStep: '1300 of 2641 patients',
  currentStepNumber: 4,
  patientsFound: 1300,
  appointmentsFound: 0,
  activePatientsIdentified: 0,
  activePatientsStored: 0,
  startedAt: '2026-11-26T10:00:00.000Z',
  lastUpdated: '2026-11-26T10:00:20.000Z',
  completedAt: null,
  durationSeconds: null,
  estimatedCompletion: null,
  estimatedCompletionRange: null,
  waitingFor: null,
  resumesAt: null,
  failure: null,
  version: 12,
  receipt: null,
  steps: [],
  startedBy: null,
  cancelledBy: null,
};

export const COMPLETED: Sync = {
  ...SYNC,
  status: 'COMPLETED',
  step: 'STORING',
  currentStepNumber: 8,
  progressPercentage: 100,
  currentStep: 'Sync completed successfully!',
  completedAt: '2026-11-26T10:01:00.000Z',
  durationSeconds: 60,
  version: 40,
  receipt: { agrees: true, checkedAt: '2026-11-26T10:01:00.000Z', requests: 31, lists: [] },
};

export const FAILED: Sync = {
  ...SYNC,
  status: 'FAILED',
  completedAt: '2026-11-26T10:01:00.000Z',
  durationSeconds: 60,
  version: 41,
  failure: {
    code: 'CLINIKO_UNREACHABLE',
    step: 'FETCHING_PATIENTS',
    message: 'Cliniko could not be reached.',
    whatToDo: 'Try again in a few minutes.',
    retryable: true,
  },
};

export const OVERVIEW: Overview = {
  organizationId: 'org_1',
  syncAvailable: true,
  currentSync: null,
  lastSync: null,
  lastSuccessfulSync: null,
  patientStats: { activePatients: 89, patientsInCliniko: 641, patientsWithRecent: 66, patientsWithUpcoming: 23, lastSyncTime: '2026-11-26T09:00:00.000Z' },
  connection: { state: 'CONNECTED', account: 'Harbour Street Physio', lastValidatedAt: null, problem: null },
  nextSync: { mode: 'INCREMENTAL', requests: 31, seconds: 40 },
  nextSyncAt: null,
  freshness: null,
};

/** `count` log lines, numbered from 1. */
export const lines = (count: number): LogLine[] =>
  Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    time: '2026-11-26T10:00:00.000Z',
    level: index % 10 === 9 ? 'WARNING' : 'INFO',
    step: 'FETCHING_PATIENTS',
    message: `Line ${index + 1}`,
  }));
