/** Takes a log along: copies the lines that are shown, or downloads the whole log as text or JSON. */

import { byId, element, say, setText } from '../dom';
import { buildMenu } from '../menu';
import { page, words } from '../page';
import { shownText } from './openedLog';

const TAKEN_MS = 3000; // how long the page shows what was copied

let taken: ReturnType<typeof setTimeout> | undefined;
let closeMenu: () => void = () => undefined;

export function buildTaking(): void {
  byId('copy').addEventListener('click', () => void copy());
  closeMenu = buildMenu('download');
  for (const format of ['text', 'json'] as const) {
    byId(`download-${format}`).addEventListener('click', () => void download(format));
  }
}

async function copy(): Promise<void> {
  const text = shownText();
  try {
    await navigator.clipboard.writeText(text);
    const count = text ? text.split('\n').length : 0;
    report(`${words.number(count)} ${count === 1 ? 'line' : 'lines'} copied.`, false);
  } catch {
    report('The browser does not let this page copy. Use Download.', true); // not over plain HTTP, or not allowed
  }
}

async function download(format: 'text' | 'json'): Promise<void> {
  const { opened } = page;
  closeMenu();
  if (!opened) return;
  try {
    const address = URL.createObjectURL(await opened.download(format));
    element('a', { href: address, download: `${opened.syncId}.${format === 'text' ? 'log' : 'json'}` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    report('', false);
  } catch (error) {
    report(error instanceof Error ? error.message : 'The log could not be downloaded. Try again.', true);
  }
}

function report(text: string, isError: boolean): void {
  setText('opened-log-message', isError ? text : '');
  setText('taken', isError ? '' : text); // for the eye; the announcer is for screen readers
  clearTimeout(taken);
  taken = setTimeout(() => setText('taken', ''), TAKEN_MS);
  if (!isError && text) say(text);
}
