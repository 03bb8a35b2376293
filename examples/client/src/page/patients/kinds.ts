/** What can happen to a patient, in a word and a tone. */

import type { PatientChangeKind } from './gql/graphql';

export const CHANGE_KINDS: Record<PatientChangeKind, [string, string]> = {
  BECAME_ACTIVE: ['Active', 'green'],
  BECAME_INACTIVE: ['Not active', 'amber'],
  ADDED: ['New', 'blue'],
  VANISHED: ['Gone', 'red'],
  CHANGED: ['Changed', 'grey'],
  LISTS_CHANGED: ['Lists', 'grey'],
};

/** The kinds to show: that lists have changed goes without saying beside any other. */
export const shownKinds = (kinds: readonly PatientChangeKind[]): readonly PatientChangeKind[] =>
  kinds.length > 1 ? kinds.filter((kind) => kind !== 'LISTS_CHANGED') : kinds;
