/** Saves the list that is shown, with its search, filter and order, as a file, for spreadsheets or for programs. */

import { Unreachable } from '../../core/errors';
import { byId, element, say, setText } from '../dom';
import { buildMenu } from '../menu';
import { page } from '../page';
import { dateOf } from '../patients/dates';
import type { PatientPages } from '../patients/pages';
import { requests } from '../requests';
import { sentenceOf } from '../sentences';

const SENT_WITHIN_MS = 300_000;

let closeMenu: () => void = () => undefined;

/** Adds the menu; `shown` gives the list of the moment. */
export function buildPatientExport(shown: () => PatientPages | null): void {
  closeMenu = buildMenu('export');
  for (const format of ['csv', 'jsonl'] as const) {
    byId(`export-${format}`).addEventListener('click', () => void save(format, shown()));
  }
}

async function save(format: 'csv' | 'jsonl', pages: PatientPages | null): Promise<void> {
  closeMenu();
  if (!pages?.about) return;
  const { list, search, practitionerId, sort } = pages.query;
  const { asOf, analyzedAt, timeZone } = pages.about;
  const asked = new URLSearchParams({ format, list: list.toLowerCase(), sort: sort.toLowerCase(), as_of: asOf });
  if (search) asked.set('search', search);
  if (practitionerId) asked.set('practitioner_id', practitionerId);
  const url = `${page.place.api}/patients/${encodeURIComponent(page.place.organization)}/export?${asked}`;
  const parts = [page.place.organization, list.toLowerCase(), dateOf(analyzedAt, timeZone), ...(search || practitionerId ? ['filtered'] : [])];
  const name = parts.join('-'); // what is searched for is personal, and stands in no name of a file
  setText('export-message', '');
  say('Reading the whole list…');
  try {
    const response = await requests().send(url, { headers: {} }, { milliseconds: SENT_WITHIN_MS });
    if (!response.ok) throw new Unreachable(await reasonOf(response));
    const address = URL.createObjectURL(await response.blob());
    element('a', { href: address, download: `${name}.${format}` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    say('The list was saved.');
  } catch (error) {
    setText('export-message', sentenceOf(error));
  }
}

async function reasonOf(response: Response): Promise<string> {
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  return problem.detail ?? `The server answered with status ${response.status}. Try again later.`;
}
