/** One sync, past or running, with all that is known of it: facts, failure, steps and the whole log. */

import { isOver, type Sync, type SyncDetailView } from '../../core/types';
import { statusTone } from '../../words';
import { storedBy } from '../../words/stored';
import { changesHref, hrefOf } from '../address';
import { byId, element, setText, show, tone } from '../dom';
import { setDisabled } from '../focus';
import { needsKey, page, serverNow, words } from '../page';
import type { PatientList } from '../patients/lists';
import { renderSoon } from '../render';
import { openLog, renderOpenedLog } from './openedLog';
import { hasLists, setFigure } from './patients';
import { renderReceipt } from './receipt';
import { failurePlace } from './sync';
import { renderTimeline } from './timeline';

let stop: () => void = () => undefined;

/** Opens the sync of the address, or closes it. */
export function openSync(syncId: string): void {
  const isOpen = page.opened?.syncId === syncId && page.client !== null;
  show('opened', syncId !== '');
  byId('main').classList.toggle('is-opened', syncId !== '');
  if (isOpen) return;
  stop();
  page.opened = syncId && page.client ? page.client.openSync(syncId) : null;
  const { opened } = page;
  stop = opened ? opened.subscribe(renderSoon) : () => undefined;
  openLog();
  show('opened-facts', false);
  show('opened-log-card', false);
  show('opened-changes', false);
  setText('opened-id', syncId);
  setText('opened-title', 'Opening the sync…');
  byId<HTMLAnchorElement>('back').href = hrefOf('');
  if (opened) renderOpened();
}

export function renderOpened(): void {
  const view = page.opened?.getView();
  if (!view) return;
  renderProblem(view);
  const { sync } = view;
  show('opened-facts', sync !== null);
  show('opened-badge', sync !== null);
  show('opened-log-card', sync !== null);
  if (!sync) return;
  setText('opened-title', `Sync of ${words.dayAndTime(sync.startedAt)}`);
  setText('opened-badge', words.name(sync.status));
  tone(byId('opened-badge'), statusTone(sync.status));
  setText('opened-actors', [words.actors(sync), words.name(sync.mode) && `${words.name(sync.mode)} sync`].filter(Boolean).join(' · '));
  show('opened-changes', sync.status === 'COMPLETED' && hasLists());
  byId<HTMLAnchorElement>('opened-changes-link').href = changesHref({ sync: sync.syncId, since: '' });
  renderFailure(sync);
  renderReceipt('opened-receipt', sync);
  renderCounts(sync);
  renderOpenedTimes();
  renderOpenedLog(view);
  const isRunning = !isOver(sync);
  show('opened-cancel', isRunning);
  setDisabled('opened-cancel', page.view.pending.has('cancel'));
  const results = [...page.view.results].filter(([action, { isError }]) => isError && (action === 'start' || action === 'cancel'));
  setText('opened-message', results.at(-1)?.[1].text ?? '');
}

function renderProblem({ phase, problem }: SyncDetailView): void {
  const isTrouble = phase === 'missing' || phase === 'failed';
  show('opened-problem', isTrouble);
  show('opened-retry', phase === 'failed');
  if (phase === 'missing') setText('opened-title', 'This sync is not known here');
  if (phase === 'failed') setText('opened-title', 'The sync could not be opened');
  const hint = phase === 'missing' ? ' Check the link, or choose one of the organization’s syncs: “All syncs” leads there.' : '';
  setText('opened-problem-text', isTrouble ? `${problem ?? ''}${hint}`.trim() : '');
}

function renderFailure(sync: Sync): void {
  const { failure } = sync;
  show('opened-failure', failure !== null);
  if (!failure) return;
  tone(byId('opened-failure'), sync.status === 'CANCELLED' ? 'amber' : 'red');
  setText('opened-failure-message', words.withFigures(failure.message));
  setText('opened-failure-advice', failure.whatToDo);
  setText('opened-failure-code', failurePlace(failure));
  const wantsKey = needsKey(sync);
  show('opened-key', wantsKey);
  show('opened-again', !wantsKey);
  const { sync: newest, overview, pending } = page.view;
  const isBusy = pending.has('start') || (newest !== null && !isOver(newest));
  setDisabled('opened-again', isBusy || !overview?.syncAvailable);
}

function renderCounts(sync: Sync): void {
  const counts: [string, number | undefined, PatientList | null][] = [
    ['Patients found', sync.patientsFound, 'ALL'],
    ['Appointments found', sync.appointmentsFound, null],
    ['Active patients identified', sync.activePatientsIdentified, 'ACTIVE'],
    ['Active patients stored', storedBy(sync), 'ACTIVE'],
  ];
  const list = byId('opened-counts');
  if (!list.children.length) {
    list.append(...counts.map(([name]) => element('div', {}, element('dt', { textContent: name }), element('dd'))));
  }
  counts.forEach(([, count, opens], index) => {
    const cell = list.children[index]?.querySelector('dd');
    if (cell) setFigure(cell, count === undefined ? '–' : words.number(count), sync.status === 'COMPLETED' ? opens : null, sync.syncId);
  });
}

/** What changes with time alone. */
export function renderOpenedTimes(): void {
  const sync = page.opened?.getView().sync;
  if (!sync) return;
  const now = serverNow();
  const wait = words.wait(sync, now);
  const isRunning = !isOver(sync);
  setText('opened-step-text', words.stepText(sync, now));
  setText('opened-percent', `${sync.progressPercentage} %`);
  byId('opened-fill').style.width = `${sync.progressPercentage}%`;
  byId('opened-track').className = wait ? 'track waiting' : isRunning ? 'track running' : 'track';
  tone(byId('opened-track'), wait ? 'amber' : isRunning ? 'blue' : statusTone(sync.status));
  setText('opened-so-far', words.timeSoFar(sync, now));
  setText('opened-left', words.timeLeft(sync, now));
  renderTimeline(sync);
}
