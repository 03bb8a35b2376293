/** The details of a patient in a dialog: contact, appointments, and why they are in each list or not. */

import { byId, element, setText, show } from '../dom';
import { words } from '../page';
import type { ClinicDates } from '../patients/dates';
import { ReadPatientDocument, type ReadPatientQuery } from '../patients/gql/graphql';
import { titleOf } from '../patients/lists';
import { renderSoon } from '../render';
import { requests } from '../requests';
import { sentenceOf } from '../sentences';

type Patient = NonNullable<ReadPatientQuery['patient']>;
type Reason = Patient['active'];

let asked = 0;
let last: (() => void) | null = null;
let goBack: () => void = () => undefined;

/** Adds what the dialog's buttons do, once. */
export function buildPatientDetails(): void {
  const dialog = byId<HTMLDialogElement>('patient');
  byId('patient-close').addEventListener('click', () => dialog.close());
  byId('patient-retry').addEventListener('click', () => last?.());
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close(); // beside it
  });
  dialog.addEventListener('close', forget);
}

/** Opens the details of a patient. `back` puts the focus where it was. */
export function openPatient({ id, name }: { id: string; name: string }, dates: ClinicDates, back: () => void): void {
  goBack = back;
  const dialog = byId<HTMLDialogElement>('patient');
  setText('patient-name', name);
  last = () => void read(id, dates);
  last();
  if (!dialog.open) dialog.showModal();
  renderSoon(); // the title of the tab
}

/** Closes the dialog: the person or the organization is another one. */
export function closePatient(): void {
  byId<HTMLDialogElement>('patient').close();
}

function forget(): void {
  asked += 1;
  last = null;
  goBack();
  renderSoon();
  setText('patient-name', '');
  for (const id of ['patient-facts', 'patient-reasons', 'patient-others']) byId(id).replaceChildren();
  for (const id of ['patient-in', 'patient-out']) show(id, false);
}

async function read(id: string, dates: ClinicDates): Promise<void> {
  asked += 1;
  const mine = asked;
  report('Reading the patient…', false);
  try {
    const { patient } = await requests().ask(ReadPatientDocument, { id });
    if (mine !== asked) return;
    if (patient) showPatient(patient, dates);
    report(patient ? '' : 'This patient is not known (any more). They may have been removed.', !patient);
  } catch (error) {
    if (mine === asked) report(sentenceOf(error), true);
  }
}

function report(text: string, isError: boolean): void {
  setText('patient-note', text);
  show('patient-note', text !== '');
  show('patient-retry', isError);
}

function showPatient(patient: Patient, dates: ClinicDates): void {
  setText('patient-name', patient.name);
  const booking = (one: Patient['lastAppointment']): string =>
    one ? [dates.dayAndTime(one.startsAt), one.type, one.practitioner?.name].filter(Boolean).join(' · ') : 'none';
  const counts = [
    `${words.number(patient.visits)} ${patient.visits === 1 ? 'visit' : 'visits'}`,
    ...(patient.bookedAppointments ? [`${words.number(patient.bookedAppointments)} booked`] : []),
    ...(patient.missedAppointments ? [`${words.number(patient.missedAppointments)} missed`] : []),
    ...(patient.cancelledAppointments ? [`${words.number(patient.cancelledAppointments)} cancelled`] : []),
  ];
  const facts: [string, Node | string | null][] = [
    ['Preferred name', patient.preferredFirstName],
    ['Phone', patient.phone && link(`tel:${patient.phone.replaceAll(/[^\d+]/g, '')}`, patient.phone)],
    ['E-mail', patient.email && link(`mailto:${encodeURIComponent(patient.email).replace('%40', '@')}`, patient.email)],
    ['Next appointment', booking(patient.nextAppointment)],
    ['Last visit', booking(patient.lastAppointment)],
    ['Appointments', counts.join(' · ')],
    ['In Cliniko since', patient.createdAt ? dates.day(patient.createdAt) : null],
    ['Id in Cliniko', patient.clinikoId],
  ];
  byId('patient-facts').replaceChildren(
    ...facts.flatMap(([name, value]) => (value ? [element('dt', { textContent: name }), element('dd', {}, value)] : [])),
  );
  const { active, recent, upcoming, noFutureAppointment, cancelledNotRebooked, missedNotRebooked, firstVisitOnly, lapsed } = patient;
  const reasons = [active, recent, upcoming, noFutureAppointment, cancelledNotRebooked, missedNotRebooked, firstVisitOnly, lapsed];
  for (const [isMember, title, target] of [[true, 'patient-in', 'patient-reasons'], [false, 'patient-out', 'patient-others']] as const) {
    const some = reasons.filter((reason) => reason.isMember === isMember);
    show(title, some.length > 0);
    byId(target).replaceChildren(...some.map((reason) => reasonItem(reason, dates)));
  }
}

const link = (href: string, textContent: string): HTMLAnchorElement => element('a', { href, textContent });

function reasonItem({ list, isMember, sentence, changesAt }: Reason, dates: ClinicDates): HTMLLIElement {
  const head = element('p', {}, element('strong', { textContent: titleOf(list) }));
  const item = element('li', {}, head, element('p', { textContent: sentence }));
  if (changesAt && !sentence.includes(' the list on ')) {
    const text = `Without another change, ${isMember ? 'leaves' : 'joins'} this list on ${dates.dayAndTime(changesAt)}.`;
    item.append(element('p', { className: 'small muted', textContent: text }));
  }
  return item;
}
