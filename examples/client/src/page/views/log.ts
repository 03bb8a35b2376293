/** The log of the sync on the dashboard, the newest line on top, with switches for the levels. */

import { LEVELS, type LogLevel, type LogLine, MOST_LINES } from '../../core/types';
import { levelTone } from '../../words';
import { byId, element, say, setText, show, tone } from '../dom';
import { moveFocus, setDisabled } from '../focus';
import { page, words } from '../page';
import { VirtualList } from '../virtualList';
import { logRow, logRowPx, placeInSet } from './logRow';

const off = new Set<LogLevel>();
let list: VirtualList<LogLine> | null = null;
let shown: readonly LogLine[] = [];
let shownSync: string | undefined;

/** Fills the switches, once. */
export function buildLog(): void {
  list = new VirtualList(byId('log-box'), byId('log'), { keyOf: ({ seq }) => seq, make: logRow, place: placeInSet, estimatedPx: logRowPx });
  byId('levels').append(...LEVELS.map((level) => {
    const button = element('button', { type: 'button', textContent: words.name(level), ariaPressed: 'true' });
    tone(button, levelTone(level));
    button.addEventListener('click', () => toggle(level, button));
    return button;
  }));
  byId('clear').addEventListener('click', () => {
    page.client?.clearLog();
    takeView();
    renderLog();
    say(`Log cleared. ${byId('log-note-text').textContent}`);
  });
  byId('unclear').addEventListener('click', () => {
    page.client?.restoreLog();
    takeView();
    renderLog();
    moveFocus(byId('clear'));
  });
}

function takeView(): void {
  if (page.client) page.view = page.client.getView();
}

function toggle(level: LogLevel, button: HTMLButtonElement): void {
  if (!off.delete(level)) off.add(level);
  button.ariaPressed = String(!off.has(level));
  shown = [];
  renderLog();
  say(byId('log-note-text').textContent || 'The log shows all lines.');
}

export function renderLog(): void {
  const { log, sync } = page.view;
  if (sync?.syncId !== shownSync) list?.clear();
  shownSync = sync?.syncId;
  if (log !== shown) {
    shown = log;
    const lines = log.filter(({ level }) => !off.has(level)).reverse();
    list?.show(lines.length, (position) => lines[position] as LogLine);
  }
  renderNote();
}

const linesText = (count: number): string => `${words.number(count)} ${count === 1 ? 'line' : 'lines'}`;

// What the log does not show, and why.
function renderNote(): void {
  const { log, sync, clearedLines, droppedLines } = page.view;
  const total = log.length;
  const hidden = LEVELS.filter((level) => off.has(level))
    .map((level) => ({ level: words.name(level), count: log.filter((line) => line.level === level).length }))
    .filter(({ count }) => count);
  const hiddenCount = hidden.reduce((sum, { count }) => sum + count, 0);
  const says: string[] = [];
  if (!total && !clearedLines) says.push(sync ? 'This sync has logged nothing yet.' : 'The log of the first sync will appear here.');
  if (hiddenCount && hiddenCount === total) {
    const names = words.listed(hidden.map(({ level }) => level));
    says.push(`The filter hides ${total === 1 ? 'the only line' : `all ${linesText(total)}`}: ${names} ${hidden.length === 1 ? 'is' : 'are'} off.`);
  } else if (hiddenCount) {
    const counts = words.listed(hidden.map(({ level, count }) => `${words.number(count)} ${level}`));
    says.push(`The filter hides ${words.number(hiddenCount)} of ${linesText(total)}: ${counts}.`);
  } else if (off.size === LEVELS.length) says.push('All levels are off, so new lines will be hidden.');
  if (clearedLines) says.push(`${linesText(clearedLines)} cleared.${total ? '' : ' New lines appear here.'}`);
  if (droppedLines) says.push(`The page keeps the newest ${words.number(MOST_LINES)} lines; ${words.number(droppedLines)} older ones are in the whole log.`);
  setText('log-note-text', says.join(' '));
  show('log-note', says.length > 0);
  show('unclear', clearedLines > 0);
  show('log-box', hiddenCount !== total);
  setDisabled('clear', !total);
}
