/**
 * The whole log of a sync, the oldest line on top: searched, filtered, linked line by line, copied and downloaded. Only the
 * lines in sight are in the document; see VirtualList.
 */

import { LEVELS, type LogIndex, type LogLevel, type LogLine, STEPS, type SyncDetailView, type SyncStep } from '../../core/types';
import { levelTone } from '../../words';
import { hrefOf } from '../address';
import { byId, element, inside, setText, show, tone } from '../dom';
import { isFocusLost, setDisabled } from '../focus';
import { page, words } from '../page';
import { VirtualList } from '../virtualList';
import { logRow, logRowPx, placeInSet } from './logRow';
import { mark } from './marks';

const off = new Set<LogLevel>();
let list: VirtualList<LogLine> | null = null;
let shown: Int32Array = new Int32Array(0); // indexes in the log
let shownVersion = -1;
let current = 0; // the number of the line that is linked or was found; 0 for none
let hasSought = false; // whether the line of the address was scrolled to

const query = (): string => byId<HTMLInputElement>('log-search').value.trim();
const step = (): SyncStep | '' => byId<HTMLSelectElement>('opened-step').value as SyncStep | '';
const log = (): LogIndex | undefined => page.opened?.getView().log;

/** Fills the filters, once. */
export function buildOpenedLog(): void {
  const kind = { keyOf: ({ seq }: LogLine) => seq, make: rowOf, place: placeInSet, estimatedPx: logRowPx };
  list = new VirtualList(byId('opened-log-box'), byId('opened-log'), kind);
  byId('opened-levels').append(...LEVELS.map((level) => {
    const button = element('button', { type: 'button', ariaPressed: 'true' });
    button.dataset['level'] = level;
    tone(button, levelTone(level));
    button.addEventListener('click', () => {
      if (!off.delete(level)) off.add(level);
      button.ariaPressed = String(!off.has(level));
      search();
    });
    return button;
  }));
  byId('opened-step').append(element('option', { value: '' }), ...STEPS.map((value) => element('option', { value })));
  byId('opened-step').addEventListener('change', search);
  byId('log-search').addEventListener('input', search);
  byId('log-search').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') queueMicrotask(search);
    if (event.key !== 'Enter') return;
    event.preventDefault();
    find(event.shiftKey ? -1 : 1);
  });
  byId('log-previous').addEventListener('click', () => find(-1));
  byId('log-next').addEventListener('click', () => find(1));
  byId('log-reset').addEventListener('click', () => {
    clearFilters();
    search();
    byId('log-search').focus();
  });
  byId('opened-log-box').addEventListener('keydown', moveByKey);
}

function clearFilters(): void {
  off.clear();
  for (const button of byId('opened-levels').children) button.ariaPressed = 'true';
  byId<HTMLInputElement>('log-search').value = '';
  byId<HTMLSelectElement>('opened-step').value = '';
}

/** Begins with the log of another sync, without filters. */
export function openLog(): void {
  clearFilters();
  [shown, shownVersion, hasSought, current] = [new Int32Array(0), -1, false, 0];
  list?.clear();
}

/** Marks the line of the address and scrolls to it, as soon as it is there. */
export function seekLine(): void {
  hasSought = false;
  setCurrent(page.route.line);
  const found = log();
  if (found) seek(found);
}

export function renderOpenedLog({ log: found, isLogComplete }: SyncDetailView): void {
  if (found.version !== shownVersion) {
    shownVersion = found.version;
    renderCounts(found);
    const { scrollTop, scrollHeight, clientHeight } = byId('opened-log-box');
    const isAtEnd = scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 4;
    showMatches(found, false);
    if (isAtEnd) list?.reveal(shown.length - 1); // a reader at the end follows new lines
  }
  if (!hasSought) seek(found);
  renderNote(found, isLogComplete);
}

function seek(found: LogIndex): void {
  const { line } = page.route;
  if (line === 0) return;
  const position = shown.indexOf(found.indexOf(line));
  if (position < 0) return;
  hasSought = true;
  setCurrent(line);
  const row = list?.reveal(position);
  if (row && hasFocusToGive()) row.querySelector<HTMLAnchorElement>('.seq')?.focus({ preventScroll: true });
  const { top = 0, bottom = 0 } = row?.getBoundingClientRect() ?? {};
  if (top < 0 || bottom > innerHeight) row?.scrollIntoView({ block: 'center' }); // the whole box was out of sight
}

// A link to a line opened the page, or was followed to here: the keyboard continues at that line.
const hasFocusToGive = (): boolean => isFocusLost() || document.activeElement === byId('opened-title');

function search(): void {
  const found = log();
  if (!found) return;
  showMatches(found, true);
  byId('opened-log-box').scrollTop = 0;
  if (query() === '' && current) list?.reveal(shown.indexOf(found.indexOf(current)));
  renderNote(found, true);
}

function showMatches(found: LogIndex, isAnew: boolean): void {
  const levels = off.size ? new Set(LEVELS.filter((level) => !off.has(level))) : null;
  const wanted = step();
  shown = found.search(query(), levels, wanted ? new Set([wanted]) : null);
  list?.show(shown.length, (position) => found.line(shown[position] as number), isAnew);
}

function rowOf(line: LogLine): HTMLLIElement {
  const row = logRow(line);
  const link = inside(hrefOf(page.route.sync, line.seq), String(line.seq), { className: 'seq', tabIndex: line.seq === current ? 0 : -1 });
  link.setAttribute('aria-label', `Link to line ${line.seq}`);
  row.prepend(link);
  row.classList.toggle('current', line.seq === current);
  mark(row.querySelector('.text') as HTMLElement, query());
  return row;
}

function setCurrent(seq: number): void {
  const rows = [list?.row(current), list?.row(seq)];
  current = seq;
  for (const row of rows) {
    const isCurrent = row !== undefined && row.dataset['seq'] === String(seq);
    row?.classList.toggle('current', isCurrent);
    const link = row?.querySelector<HTMLAnchorElement>('.seq');
    if (link) link.tabIndex = isCurrent ? 0 : -1;
  }
}

// To the next or the previous of the lines that are shown.
function find(direction: 1 | -1): void {
  const found = log();
  if (!found || shown.length === 0) return;
  const at = shown.indexOf(found.indexOf(current));
  const next = at < 0 ? (direction === 1 ? 0 : shown.length - 1) : (at + direction + shown.length) % shown.length;
  goTo(next, found);
  renderNote(found, true);
}

function goTo(position: number, found: LogIndex): HTMLElement | null {
  const row = list?.reveal(position) ?? null;
  setCurrent(found.line(shown[position] as number).seq);
  return row;
}

// Arrow keys move from line to line; each line has its link, and only the current one is in the order of Tab.
function moveByKey(event: KeyboardEvent): void {
  const found = log();
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const distance = steps[event.key];
  if (!found || distance === undefined || shown.length === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const at = shown.indexOf(found.indexOf(current));
  const from = at < 0 ? (distance > 0 ? -1 : shown.length) : at;
  const row = goTo(Math.min(shown.length - 1, Math.max(0, from + distance)), found);
  row?.querySelector<HTMLAnchorElement>('.seq')?.focus({ preventScroll: true });
}

function renderCounts(found: LogIndex): void {
  for (const button of byId('opened-levels').querySelectorAll('button')) {
    const level = button.dataset['level'] as LogLevel;
    setText(button, `${words.name(level)} ${words.number(found.levelCounts[level])}`);
  }
  for (const option of byId<HTMLSelectElement>('opened-step').options) {
    const value = option.value as SyncStep | '';
    const text = value
      ? `${STEPS.indexOf(value) + 1}. ${words.name(value)} (${words.number(found.stepCounts[value])})`
      : `All steps (${words.number(found.length)})`;
    if (option.textContent !== text) option.textContent = text;
  }
}

function renderNote(found: LogIndex, isComplete: boolean): void {
  const lines = `${words.number(found.length)} ${found.length === 1 ? 'line' : 'lines'}`;
  const isFiltered = query() !== '' || off.size > 0 || step() !== '';
  const isEmpty = isFiltered && isComplete && shown.length === 0;
  show('log-empty', isEmpty);
  show('opened-log-box', !isEmpty);
  for (const id of ['log-previous', 'log-next']) setDisabled(id, shown.length === 0);
  const at = shown.indexOf(found.indexOf(current));
  const place = isFiltered && at >= 0 ? `${words.number(at + 1)} of ` : '';
  const text = isFiltered ? `${place}${words.number(shown.length)} matching of ${lines}` : lines;
  const isMissing = page.route.line > 0 && isComplete && found.indexOf(page.route.line) < 0;
  const missing = isMissing ? ` Line ${page.route.line} is not in this log.` : '';
  setText('log-matches', `${text}${isComplete ? '' : ', loading…'}.${missing}`);
}

/** The lines that are shown, as text: one line for each. */
export function shownText(): string {
  const found = log();
  if (!found) return '';
  const rows: string[] = [];
  for (const index of shown) {
    const { time, level, step: inStep, message } = found.line(index);
    rows.push(`${time}  ${level}  ${inStep}  ${message}`);
  }
  return rows.join('\n');
}
