/**
 * The words of a card that shows one organization: its buttons, headings and hints. The page has its own in its HTML.
 *
 * They are replaced like all others, by keys of `labels`.
 */

export const CARD_ENGLISH = {
  heading: 'Patient sync',
  asking: 'Asking the server…',
  nothingKnown: 'Nothing is known yet.',
  nothingSynced: 'Nothing has been synced yet.',
  notConnectedYet: 'Connect this organization to Cliniko, then start a sync.',
  organizationMissing: 'Set organization-id to the organization whose syncs this page shows.',
  retryIn: 'Trying again… (in {left})',
  retryNow: 'Trying again…',
  connectedAgain: 'Connected to the server again.',

  // Buttons.
  start: 'Start sync',
  starting: 'Starting…',
  startFull: 'Full sync',
  startFullHint: 'Reads everything from Cliniko again. Start sync reads what changed.',
  cancel: 'Cancel',
  cancelling: 'Cancelling…',
  refresh: 'Refresh',
  tryAgain: 'Try again',
  enterKey: 'Enter another key',

  // Figures.
  steps: 'Steps',
  progressText: '{percent} percent, step {number} of 8: {step}',
  stepTook: 'took {time}',
  stepTookWaited: 'took {time}, waited {waited}',
  patientsFound: 'Patients found',
  appointmentsFound: 'Appointments found',
  activeFound: 'Active patients',
  activeStored: 'Stored',
  active: '{active} of {all} patients are active: {recent} seen recently, {upcoming} with an appointment ahead.',
  stored: 'The stored patients are as of {time}.',
  nothingStored: 'No patients are stored yet.',
  fullSync: 'full sync',
  incrementalSync: 'incremental sync',

  // The log.
  log: 'Log',
  logLines: 'Log lines',
  level: 'Level',
  allLevels: 'All',
  clearLog: 'Clear log',
  restoreLog: 'Show cleared lines',
  noLines: 'No lines.',
  oneHidden: '1 line of another level is hidden.',
  hidden: '{count} lines of other levels are hidden.',
  dropped: '{count} older lines are left out.',
  showEarlier: 'Show {count} earlier lines',

  // The history.
  history: 'Past syncs',
  noHistory: 'No sync has ended yet.',
  showMore: 'Show more',
  loading: 'Loading…',

  // The access to Cliniko.
  cliniko: 'Cliniko',
  connectedTo: 'Connected to {account}',
  apiKey: 'Cliniko API key',
  addKey: 'Connect to Cliniko',
  replaceKey: 'Replace the API key',
  connect: 'Connect',
  checkingKey: 'Checking the key…',
};

/** The keys of a card's words. */
export type CardLabelName = keyof typeof CARD_ENGLISH;
/** Sentences in place of a card's English ones. */
export type CardLabels = Partial<Record<CardLabelName, string>>;
/** Gives a sentence of a card with its values filled in. */
export type SayCard = (name: CardLabelName, values?: Record<string, string | number>) => string;

/** Sentences from `labels`, and in English where it has none. */
export function cardFrom(labels: CardLabels): SayCard {
  return (name, values = {}) =>
    (labels[name] ?? CARD_ENGLISH[name]).replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole));
}
