/** The columns of a list of patients: one table for the header, the rows and the choice of columns. */

import type { ClinicDates } from './dates';
import type { PatientSort } from './lists';
import type { PatientRow } from './pages';

/** What one cell shows. */
export interface Cell {
  text: string;
  /** More of it, below. */
  detail?: string | undefined;
}

export interface Column {
  id: string;
  title: string;
  /** The least width, and the share of the width that is left. */
  minPx: number;
  share: number;
  cell: (row: PatientRow, dates: ClinicDates) => Cell;
  isNumber?: boolean;
  /** The orders that the header switches between, the first one first. */
  sorts?: readonly [PatientSort, PatientSort];
  /** Shown unless a person has chosen otherwise. */
  isUsual: boolean;
  /** Usual where there is room for it: not on a tablet. */
  needsRoom?: boolean;
}

type Booking = PatientRow['lastAppointment'];

const NONE = '–';

const booking = (one: Booking, dates: ClinicDates): Cell =>
  one ? { text: dates.dayAndTime(one.startsAt), detail: one.type ?? undefined } : { text: NONE };

/** Whom the patient sees next, or has seen last. */
const practitionerOf = (row: PatientRow): string => (row.nextAppointment ?? row.lastAppointment)?.practitioner?.name ?? NONE;

const counted = (id: string, title: string, count: (row: PatientRow) => number, isUsual: boolean): Column => ({
  id,
  title,
  minPx: 64,
  share: 0.4,
  isNumber: true,
  cell: (row) => ({ text: String(count(row)) }),
  isUsual,
  needsRoom: true,
});

/** All columns but the name, which is always there. */
export const COLUMNS: readonly Column[] = [
  { id: 'why', title: 'Why', minPx: 160, share: 3, cell: (row) => ({ text: row.why.sentence }), isUsual: true },
  {
    id: 'until',
    title: 'Until',
    minPx: 80,
    share: 0.7,
    cell: (row, dates) => ({ text: row.why.changesAt ? dates.day(row.why.changesAt) : NONE }),
    isUsual: true,
  },
  {
    id: 'last',
    title: 'Last visit',
    minPx: 108,
    share: 1.2,
    cell: (row, dates) => booking(row.lastAppointment, dates),
    sorts: ['LAST_APPOINTMENT_DESC', 'LAST_APPOINTMENT'],
    isUsual: true,
  },
  {
    id: 'ahead', // not “next”, which is a row of buttons to the styles
    title: 'Next appointment',
    minPx: 108,
    share: 1.2,
    cell: (row, dates) => booking(row.nextAppointment, dates),
    sorts: ['NEXT_APPOINTMENT', 'NEXT_APPOINTMENT_DESC'],
    isUsual: true,
  },
  { id: 'practitioner', title: 'Practitioner', minPx: 110, share: 1, cell: (row) => ({ text: practitionerOf(row) }), isUsual: true, needsRoom: true },
  counted('visits', 'Visits', (row) => row.visits, true),
  counted('missed', 'Missed', (row) => row.missedAppointments, true),
  counted('cancelled', 'Cancelled', (row) => row.cancelledAppointments, false),
  counted('booked', 'Booked', (row) => row.bookedAppointments, false),
  {
    id: 'contact',
    title: 'Contact',
    minPx: 160,
    share: 1.4,
    cell: ({ email, phone }) => ({ text: phone ?? email ?? NONE, detail: (phone && email) || undefined }),
    isUsual: false,
  },
];

const tablet = matchMedia('(min-width: 641px) and (max-width: 1000px)');
const STORED_AS = 'routiq-patient-columns';

/** The ids of the columns that are shown. */
export function chosenColumns(): Set<string> {
  const usual = COLUMNS.filter(({ isUsual, needsRoom }) => isUsual && !(needsRoom && tablet.matches)).map(({ id }) => id);
  try {
    const stored = localStorage.getItem(STORED_AS);
    return new Set(stored === null ? usual : stored.split(' '));
  } catch {
    return new Set(usual); // the browser stores nothing for this page
  }
}

/** Stores the choice in this browser. */
export function chooseColumns(ids: ReadonlySet<string>): void {
  try {
    localStorage.setItem(STORED_AS, [...ids].join(' '));
  } catch {
    // it is good until the page is left
  }
}
