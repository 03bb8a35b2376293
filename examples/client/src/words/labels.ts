/**
 * Every word and sentence that the views of a sync share, in English.
 *
 * A page in another language passes its own sentences for some or all of these keys. Names in braces are filled in.
 * Sentences of the server (a failure, a log line) are shown as they come.
 */

export const ENGLISH = {
  // Statuses. Some steps have the same names and the same words.
  IDLE: 'Idle',
  STARTING: 'Starting',
  FETCHING_PATIENTS: 'Fetching patients',
  FETCHING_APPOINTMENTS: 'Fetching appointments',
  ANALYZING: 'Analyzing',
  STORING: 'Storing',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',

  // Steps.
  INITIALIZING: 'Initializing',
  CHECKING_CONFIG: 'Checking config',
  CHECKING_CREDENTIALS: 'Checking credentials',
  LOADING_TYPES: 'Loading types',
  stepDone: 'done',
  stepRunning: 'running',
  stepTodo: 'to come',
  stepUnreached: 'not reached',
  stepFailed: 'failed here',
  stepCancelled: 'cancelled here',
  stepOf: 'Step {number} of 8: {step}',
  failedWhile: 'Failed while {step}.',
  cancelledWhile: 'Cancelled while {step}.',

  // Levels of the log.
  INFO: 'Info',
  SUCCESS: 'Success',
  WARNING: 'Warning',
  ERROR: 'Error',

  // How much a sync reads. AUTO is not decided yet.
  AUTO: '',
  FULL: 'Full',
  INCREMENTAL: 'Incremental',
  TIME_ONLY: 'Time only',

  // The access to Cliniko.
  CONNECTED: 'Connected',
  NEEDS_ATTENTION: 'Needs attention',
  DISABLED: 'Switched off',
  notConnected: 'Not connected',

  // The connection of this page to the server.
  live: 'Live · {transport}',
  websocket: 'websocket',
  stream: 'server-sent events',
  polling: 'polling',
  connecting: 'Connecting…',
  lost: 'Connection lost',
  unreachable: 'Not reachable',
  blocked: 'Blocked',
  refused: 'Refused',
  paused: 'Paused while hidden',
  stateOf: 'This page shows the state of {time}.',
  nextTry: 'Next try in {left}.',
  tryingNow: 'Trying again now…',

  // Waits.
  RATE_LIMIT_title: 'Cliniko’s rate limit is reached.',
  RATE_LIMIT_text: 'Cliniko accepts a limited number of requests per minute. The sync resumes by itself, and no data is lost.',
  RATE_LIMIT_step: 'Waiting for Cliniko\'s rate limit',
  CLINIKO_RETRY_title: 'Cliniko did not answer as expected.',
  CLINIKO_RETRY_text: 'The sync repeats the request, and no data is lost. The log says what was wrong.',
  CLINIKO_RETRY_step: 'Waiting to ask Cliniko again',
  DATABASE_title: 'The database can’t be used at the moment.',
  DATABASE_text: 'The sync tries again by itself and resumes from its last stored page. No data is lost.',
  DATABASE_step: 'Waiting for the database…',
  wait_title: 'The sync is waiting.',
  wait_text: 'It resumes by itself, and no data is lost.',
  wait_step: 'Waiting',
  resumingIn: '{step}, resuming in {left}',
  retryingIn: '{step}, trying again in {left}',
  resumingNow: 'Resuming now…',
  retryingNow: 'Trying again now…',
  resumesIn: 'Resuming in {left}.',
  retriesIn: 'Trying again in {left}.',

  // Times.
  today: 'today {time}',
  underASecond: 'under 1 s',
  seconds: '{count} s',
  minutes: '{count} min',
  hours: '{count} h',
  days: '{count} d',
  ago: '{time} ago',
  justNow: 'just now',
  runningFor: 'Running for {time}',
  took: 'Took {time}',
  ended: 'Ended {time}',
  atLeastLeft: 'At least {left} left',
  aboutLeft: 'About {left} left',
  leftUnknown: 'Time left not known yet',
  aMomentLeft: 'A moment left',
  overdue: 'Takes longer than estimated',
  leftAtMost: ' (at most {latest})',
  leftBetween: ' ({earliest} to {latest})',
  fewSeconds: 'a few seconds',
  about: 'about {time}',
  nextSync: 'The next sync takes {time}, {requests}',
  nextFullSync: 'The next sync reads everything: {time}, {requests}',
  oneRequest: '1 request',
  requests: '{count} requests',

  // Freshness.
  checked: 'Checked {when}',
  nextAt: 'next sync {time}',
  lastSuccess: 'Last success {time}',
  late: 'A newer sync was due {time}',
  neverChecked: 'Not synced yet',

  // Receipts.
  agrees: 'Agrees with Cliniko',
  differs: 'Does not agree with Cliniko yet',
  comparedInPart: 'Compared in part with Cliniko',
  notCompared: 'Not compared with Cliniko',
  receiptLine: '{verdict}, checked {time}{why}; {requests}; {changes}',
  noChanges: 'no changes',
  listDiffers: '{list}: {inCliniko} in Cliniko, {stored} stored',
  listPart: 'compared in {compared} of {of} classes',
  listNotCounted: '{list}: Cliniko did not count them',
  listKeptChanging: '{list}: they kept changing during the comparison',
  listDenied: '{list}: not compared, as the key may not read them',
  listNotComparedByClass: '{list}: not compared, as Cliniko did not list them by class',
  listNotComparedByCount: '{list}: not compared, as Cliniko did not count them',
  clinikoDid: ': Cliniko {what}',
  didNotCount: 'did not count {lists}',
  didNotListAttendees: 'did not list attendees by class',
  and: ' and ',
  commaAnd: ', and ',
  oneUnreadable: '1 row of Cliniko can’t be read; the log names the first ones',
  unreadable: '{count} rows of Cliniko can’t be read; the log names the first ones',

  // Who started or cancelled a sync.
  PERSON: 'a person',
  SCHEDULE: 'the schedule',
  TERMINAL: 'the terminal',
  startedBy: 'Started by {who}',
  cancelledBy: 'Cancelled by {who}',

  // Announcements.
  syncEnded: 'Sync {status}. {detail}',
};

/** The keys of all words. */
export type LabelName = keyof typeof ENGLISH;
/** Sentences of a page, in place of the English ones. */
export type Labels = Partial<Record<LabelName, string>>;
/** Gives a sentence with its values filled in. */
export type Say = (name: LabelName, values?: Record<string, string | number>) => string;

/** Sentences from `labels`, and in English where it has none. */
export function sayFrom(labels: Labels): Say {
  return (name, values = {}) =>
    (labels[name] ?? ENGLISH[name]).replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole));
}

/** The word for a value of the schema: a status, step, level, mode, wait or state. A value of a later server stays as it is. */
export const nameFrom = (say: Say) => (value: string): string => (value in ENGLISH ? say(value as LabelName) : value);
