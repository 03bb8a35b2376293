/** The tab of the browser: the percentage and the organization in its title, and a ring that fills in its icon. */

import { isOver } from '../../core/types';
import { byId } from '../dom';
import { accountName, page, words } from '../page';
import { titleOf } from '../patients/lists';

const COLORS: Record<string, string> = { COMPLETED: '%23176c3a', FAILED: '%23b0261c', CANCELLED: '%238a4f00' };
const CIRCUMFERENCE = 2 * Math.PI * 6;

let plainIcon: string | null = null;

export function renderTitle(): void {
  const opened = page.opened?.getView().sync ?? null;
  const sync = opened ?? page.view.sync;
  const name = accountName() || 'Sync dashboard';
  const isRunning = sync !== null && !isOver(sync);
  const begin = !sync ? '' : isRunning ? `${sync.progressPercentage} % · ` : `${words.name(sync.status)} · `;
  const title = begin + [...whatIsOpen(), name].join(' · ');
  if (document.title !== title) document.title = title;
  setIcon(isRunning ? ring(sync.progressPercentage) : sync && wasWatched(sync.syncId) ? dot(sync.status) : null);
}

// A list by its title. A patient without a name: browsers keep titles in their history.
function whatIsOpen(): string[] {
  const { list, changes } = page.route;
  if (changes) return [...(isPatientOpen() ? ['Patient'] : []), 'Changed patients'];
  return list ? [...(isPatientOpen() ? ['Patient'] : []), titleOf(list.list)] : [];
}

const isPatientOpen = (): boolean => byId<HTMLDialogElement>('patient').open;

// The page's own icon is shown again once a person has seen how the sync ended.
let running: string | null = null;
function wasWatched(syncId: string): boolean {
  if (!document.hidden) running = null;
  return running === syncId;
}

function ring(percent: number): string {
  running = page.view.sync?.syncId ?? null;
  const filled = (CIRCUMFERENCE * percent) / 100;
  return icon(
    `<circle cx='8' cy='8' r='6' fill='none' stroke='%2399a3ad' stroke-opacity='.5' stroke-width='3'/>` +
      `<circle cx='8' cy='8' r='6' fill='none' stroke='%232563c9' stroke-width='3' stroke-dasharray='${filled.toFixed(1)} 99' transform='rotate(-90 8 8)'/>`,
  );
}

const dot = (status: string): string => icon(`<circle cx='8' cy='8' r='6' fill='${COLORS[status] ?? '%23556170'}'/>`);

const icon = (shapes: string): string =>
  `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${shapes}</svg>`;

function setIcon(address: string | null): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  if (!link) return;
  plainIcon ??= link.href;
  const wanted = address ?? plainIcon;
  if (link.href !== wanted && link.getAttribute('href') !== wanted) link.setAttribute('href', wanted);
}
