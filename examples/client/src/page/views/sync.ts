/** The card of the running sync, or of the newest one: state, progress, counts, and what it came to. */

import { isOver, type Overview, STEPS, type Sync } from '../../core/types';
import { statusTone } from '../../words';
import { storedBy } from '../../words/stored';
import { hrefOf } from '../address';
import { byId, setText, show, tone } from '../dom';
import { setDisabled } from '../focus';
import { needsKey, page, serverNow, shownAt, words } from '../page';
import { setFigure } from './patients';
import { renderReceipt } from './receipt';
import { isRunning, renderSteps } from './steps';

const SILENCE_MS = 5000; // a running sync changes at least each second

/** Each count with its list of patients; appointments have none. */
const COUNTS = {
  'patients-found': ['patientsFound', 'ALL'],
  'appointments-found': ['appointmentsFound', null],
  'active-identified': ['activePatientsIdentified', 'ACTIVE'],
  'active-stored': ['activePatientsStored', 'ACTIVE'],
} as const;

export function renderSync(): void {
  const { overview, sync } = page.view;
  show('sync', overview !== null);
  show('log-card', overview !== null);
  if (!overview) return;
  const status = sync ? sync.status : 'IDLE';
  setText('badge', words.name(status));
  tone(byId('badge'), statusTone(status));
  renderProgress(sync);
  renderSteps(sync);
  renderCounts(sync, overview);
  renderFailure(sync, overview);
  renderReceipt('receipt', sync);
  renderControls(sync, overview);
}

// Those of the newest completed sync lead to its lists.
function renderCounts(sync: Sync | null, overview: Overview): void {
  const isNewest = sync !== null && sync.syncId === overview.lastSuccessfulSync?.syncId;
  for (const [id, [key, list]] of Object.entries(COUNTS)) {
    const count = key === 'activePatientsStored' ? storedBy(sync) : sync?.[key];
    setFigure(byId(id), count === undefined ? '–' : words.number(count), isNewest ? list : null);
  }
}

function renderProgress(sync: Sync | null): void {
  const wait = sync && words.wait(sync, serverNow());
  const runs = isRunning(sync);
  const color = !sync ? 'grey' : wait ? 'amber' : runs ? 'blue' : statusTone(sync.status);
  const track = byId('track');
  const percent = sync ? sync.progressPercentage : 0;
  tone(track, color);
  tone(byId('steps'), sync && runs && !wait ? statusTone(sync.status) : color);
  track.className = wait ? 'track waiting' : runs ? 'track running' : 'track';
  byId('fill').style.width = `${percent}%`;
  track.setAttribute('aria-valuenow', String(percent));
  const doing = sync && (wait ? wait.title : words.withFigures(sync.currentStep));
  track.setAttribute('aria-valuetext', sync ? `${percent} percent, step ${sync.currentStepNumber} of 8: ${doing}` : 'no sync yet');
  show('percent', sync !== null);
  setText('percent-number', sync ? String(percent) : '');
  const mode = sync ? words.name(sync.mode) : '';
  setText('mode', mode && ` · ${mode.toLowerCase()} sync`);
}

/** Where a sync failed: `In step 3 of 8, Checking credentials · KEY_REFUSED`. */
export function failurePlace({ step, code }: NonNullable<Sync['failure']>): string {
  return `In step ${STEPS.indexOf(step) + 1} of 8, ${words.name(step)} · ${code}`;
}

function renderFailure(sync: Sync | null, overview: Overview): void {
  const failure = sync && isOver(sync) ? sync.failure : null;
  show('failure', failure !== null);
  if (!failure || !sync) return;
  tone(byId('failure'), sync.status === 'CANCELLED' ? 'amber' : 'red');
  setText('failure-message', words.withFigures(failure.message));
  setText('failure-advice', failure.whatToDo);
  setText('failure-kept', whatIsKept(overview.patientStats));
  setText('failure-code', failurePlace(failure));
  const wantsKey = needsKey(sync);
  show('failure-key', wantsKey);
  show('failure-again', !wantsKey && sync.status === 'FAILED');
  setDisabled('failure-again', !overview.syncAvailable || page.view.pending.has('start'));
}

// A sync that ended otherwise than completed changes nothing that readers see.
function whatIsKept(stats: Overview['patientStats']): string {
  if (stats.lastSyncTime === null) return 'No patients are stored yet, as no sync has completed.';
  if (stats.patientsInCliniko === 0) return 'No patients are stored.';
  const [active, time] = [words.number(stats.activePatients), words.dayAndTime(stats.lastSyncTime)];
  return `This sync has changed no stored patients. As of ${time}, ${active} are active.`;
}

function renderControls(sync: Sync | null, overview: Overview): void {
  const { pending } = page.view;
  const isIdle = !isRunning(sync) && overview.syncAvailable;
  show('next-sync', isIdle && overview.nextSync !== null);
  setText('next-sync', overview.nextSync ? words.nextSync(overview.nextSync) : '');
  const isStarting = pending.has('start') || pending.has('startFull');
  setDisabled('start', !isIdle || isStarting);
  show('start-full', overview.patientStats.lastSyncTime !== null); // the first sync reads everything anyway
  setDisabled('start-full', !isIdle || isStarting);
  byId('start').title = overview.syncAvailable ? '' : 'Connect the organization to Cliniko first.';
  setDisabled('cancel', !isRunning(sync) || pending.has('cancel'));
  setDisabled('refresh', pending.has('refresh'));
  const link = byId<HTMLAnchorElement>('open-log');
  link.hidden = sync === null;
  if (sync) link.href = hrefOf(sync.syncId);
}

/** What changes with time alone. */
export function renderSyncTimes(): void {
  const { sync, overview, connection, heardAt } = page.view;
  const now = serverNow();
  const nothing = overview && !overview.syncAvailable ? 'Not connected to Cliniko yet.' : 'No sync yet.';
  setText('step-text', sync ? words.stepText(sync, now) : nothing);
  const wait = sync && words.wait(sync, now);
  const dueAt = wait?.seconds === 0 && sync?.resumesAt ? Date.parse(sync.resumesAt) + Date.now() - now : 0;
  const silentFor = Date.now() - Math.max(heardAt, page.liveSince, dueAt);
  const isSilent = isRunning(sync) && connection === 'live' && silentFor > SILENCE_MS && !(wait && wait.seconds !== 0);
  show('silent', isSilent);
  setText('silent-for', `for ${words.duration(Math.round(silentFor / 1000))}`);
  show('waiting', Boolean(wait) && !isSilent);
  if (wait) {
    setText('waiting-title', wait.title);
    setText('waiting-text', wait.text);
    setText('waiting-left', wait.seconds === null ? '' : wait.seconds > 0 ? words.duration(wait.seconds) : 'now…');
  }
  setText('time-so-far', sync ? words.timeSoFar(sync, shownAt()) : '');
  setText('time-left', sync ? words.timeLeft(sync, shownAt()) : '');
}
