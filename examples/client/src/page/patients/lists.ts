/** The lists of patients and their orders, in the order in which they are shown, and what an empty list means. */

import type { PatientList, PatientSort } from './gql/graphql';

export type { PatientList, PatientSort } from './gql/graphql';

/** What each list is called until the server has answered, and what to do if it has no patient. */
const WORDS: Record<PatientList, { title: string; empty: string }> = {
  ACTIVE: {
    title: 'Active patients',
    empty: 'No patient has an appointment within these windows. Check in Cliniko that appointments are there, and start a sync.',
  },
  RECENT: { title: 'Recent visits', empty: 'No patient was seen within this time. Check in Cliniko that visits are not marked as missed.' },
  UPCOMING: { title: 'Upcoming appointments', empty: 'No patient is booked within this time. “No future appointment” has patients to call.' },
  NO_FUTURE_APPOINTMENT: { title: 'No future appointment', empty: 'Every patient who was seen lately has another appointment. There is nothing to do.' },
  CANCELLED_NOT_REBOOKED: { title: 'Cancelled, not rebooked', empty: 'Every patient who cancelled lately has booked again. There is nothing to do.' },
  MISSED_NOT_REBOOKED: { title: 'Missed, not rebooked', empty: 'Every patient who missed an appointment lately has booked again. There is nothing to do.' },
  FIRST_VISIT_ONLY: { title: 'First visit only', empty: 'Every new patient has come again, or is booked. There is nothing to do.' },
  LAPSED: { title: 'Lapsed', empty: 'Every regular patient comes as usual, or is booked. There is nothing to do.' },
  ALL: { title: 'All patients', empty: 'Cliniko lists no patients. Add patients there, and start a sync.' },
};

export const LISTS = Object.keys(WORDS) as PatientList[];

export const titleOf = (list: PatientList): string => WORDS[list].title;

export const emptyText = (list: PatientList): string => WORDS[list].empty;

/** The orders, with the words of a menu. */
export const SORT_WORDS: Record<PatientSort, string> = {
  NAME: 'Name, A to Z',
  NAME_DESC: 'Name, Z to A',
  LAST_APPOINTMENT_DESC: 'Last visit, newest first',
  LAST_APPOINTMENT: 'Last visit, oldest first',
  NEXT_APPOINTMENT: 'Next appointment, soonest first',
  NEXT_APPOINTMENT_DESC: 'Next appointment, latest first',
};

export const SORTS = Object.keys(SORT_WORDS) as PatientSort[];
