// Generated from ../client/src/words/ by `make bundles`: the labels, with their English texts.

export interface AllLabels {
  /** Idle */
  IDLE: string;
  /** Starting */
  STARTING: string;
  /** Fetching patients */
  FETCHING_PATIENTS: string;
  /** Fetching appointments */
  FETCHING_APPOINTMENTS: string;
  /** Analyzing */
  ANALYZING: string;
  /** Storing */
  STORING: string;
  /** Completed */
  COMPLETED: string;
  /** Failed */
  FAILED: string;
  /** Cancelled */
  CANCELLED: string;
  /** Initializing */
  INITIALIZING: string;
  /** Checking config */
  CHECKING_CONFIG: string;
  /** Checking credentials */
  CHECKING_CREDENTIALS: string;
  /** Loading types */
  LOADING_TYPES: string;
  /** done */
  stepDone: string;
  /** running */
  stepRunning: string;
  /** to come */
  stepTodo: string;
  /** not reached */
  stepUnreached: string;
  /** failed here */
  stepFailed: string;
  /** cancelled here */
  stepCancelled: string;
  /** Step {number} of 8: {step} */
  stepOf: string;
  /** Failed while {step}. */
  failedWhile: string;
  /** Cancelled while {step}. */
  cancelledWhile: string;
  /** Info */
  INFO: string;
  /** Success */
  SUCCESS: string;
  /** Warning */
  WARNING: string;
  /** Error */
  ERROR: string;
  /** (empty) */
  AUTO: string;
  /** Full */
  FULL: string;
  /** Incremental */
  INCREMENTAL: string;
  /** Time only */
  TIME_ONLY: string;
  /** Connected */
  CONNECTED: string;
  /** Needs attention */
  NEEDS_ATTENTION: string;
  /** Switched off */
  DISABLED: string;
  /** Not connected */
  notConnected: string;
  /** Live · {transport} */
  live: string;
  /** websocket */
  websocket: string;
  /** server-sent events */
  stream: string;
  /** polling */
  polling: string;
  /** Connecting… */
  connecting: string;
  /** Connection lost */
  lost: string;
  /** Not reachable */
  unreachable: string;
  /** Blocked */
  blocked: string;
  /** Refused */
  refused: string;
  /** Paused while hidden */
  paused: string;
  /** This page shows the state of {time}. */
  stateOf: string;
  /** Next try in {left}. */
  nextTry: string;
  /** Trying again now… */
  tryingNow: string;
  /** Cliniko’s rate limit is reached. */
  RATE_LIMIT_title: string;
  /** Cliniko accepts a limited number of requests per minute. The sync resumes by itself, and no data is lost. */
  RATE_LIMIT_text: string;
  /** Waiting for Cliniko's rate limit */
  RATE_LIMIT_step: string;
  /** Cliniko did not answer as expected. */
  CLINIKO_RETRY_title: string;
  /** The sync repeats the request, and no data is lost. The log says what was wrong. */
  CLINIKO_RETRY_text: string;
  /** Waiting to ask Cliniko again */
  CLINIKO_RETRY_step: string;
  /** The database can’t be used at the moment. */
  DATABASE_title: string;
  /** The sync tries again by itself and resumes from its last stored page. No data is lost. */
  DATABASE_text: string;
  /** Waiting for the database… */
  DATABASE_step: string;
  /** The sync is waiting. */
  wait_title: string;
  /** It resumes by itself, and no data is lost. */
  wait_text: string;
  /** Waiting */
  wait_step: string;
  /** {step}, resuming in {left} */
  resumingIn: string;
  /** {step}, trying again in {left} */
  retryingIn: string;
  /** Resuming now… */
  resumingNow: string;
  /** Trying again now… */
  retryingNow: string;
  /** Resuming in {left}. */
  resumesIn: string;
  /** Trying again in {left}. */
  retriesIn: string;
  /** today {time} */
  today: string;
  /** under 1 s */
  underASecond: string;
  /** {count} s */
  seconds: string;
  /** {count} min */
  minutes: string;
  /** {count} h */
  hours: string;
  /** {count} d */
  days: string;
  /** {time} ago */
  ago: string;
  /** just now */
  justNow: string;
  /** Running for {time} */
  runningFor: string;
  /** Took {time} */
  took: string;
  /** Ended {time} */
  ended: string;
  /** At least {left} left */
  atLeastLeft: string;
  /** About {left} left */
  aboutLeft: string;
  /** Time left not known yet */
  leftUnknown: string;
  /** A moment left */
  aMomentLeft: string;
  /** Takes longer than estimated */
  overdue: string;
  /**  (at most {latest}) */
  leftAtMost: string;
  /**  ({earliest} to {latest}) */
  leftBetween: string;
  /** a few seconds */
  fewSeconds: string;
  /** about {time} */
  about: string;
  /** The next sync takes {time}, {requests} */
  nextSync: string;
  /** The next sync reads everything: {time}, {requests} */
  nextFullSync: string;
  /** 1 request */
  oneRequest: string;
  /** {count} requests */
  requests: string;
  /** Checked {when} */
  checked: string;
  /** next sync {time} */
  nextAt: string;
  /** Last success {time} */
  lastSuccess: string;
  /** A newer sync was due {time} */
  late: string;
  /** Not synced yet */
  neverChecked: string;
  /** Agrees with Cliniko */
  agrees: string;
  /** Does not agree with Cliniko yet */
  differs: string;
  /** Compared in part with Cliniko */
  comparedInPart: string;
  /** Not compared with Cliniko */
  notCompared: string;
  /** {verdict}, checked {time}{why}; {requests}; {changes} */
  receiptLine: string;
  /** no changes */
  noChanges: string;
  /** {list}: {inCliniko} in Cliniko, {stored} stored */
  listDiffers: string;
  /** compared in {compared} of {of} classes */
  listPart: string;
  /** {list}: Cliniko did not count them */
  listNotCounted: string;
  /** {list}: they kept changing during the comparison */
  listKeptChanging: string;
  /** {list}: not compared, as the key may not read them */
  listDenied: string;
  /** {list}: not compared, as Cliniko did not list them by class */
  listNotComparedByClass: string;
  /** {list}: not compared, as Cliniko did not count them */
  listNotComparedByCount: string;
  /** : Cliniko {what} */
  clinikoDid: string;
  /** did not count {lists} */
  didNotCount: string;
  /** did not list attendees by class */
  didNotListAttendees: string;
  /**  and  */
  and: string;
  /** , and  */
  commaAnd: string;
  /** 1 row of Cliniko can’t be read; the log names the first ones */
  oneUnreadable: string;
  /** {count} rows of Cliniko can’t be read; the log names the first ones */
  unreadable: string;
  /** a person */
  PERSON: string;
  /** the schedule */
  SCHEDULE: string;
  /** the terminal */
  TERMINAL: string;
  /** Started by {who} */
  startedBy: string;
  /** Cancelled by {who} */
  cancelledBy: string;
  /** Sync {status}. {detail} */
  syncEnded: string;
  /** Patient sync */
  heading: string;
  /** Asking the server… */
  asking: string;
  /** Nothing is known yet. */
  nothingKnown: string;
  /** Nothing has been synced yet. */
  nothingSynced: string;
  /** Connect this organization to Cliniko, then start a sync. */
  notConnectedYet: string;
  /** Set organization-id to the organization whose syncs this page shows. */
  organizationMissing: string;
  /** Trying again… (in {left}) */
  retryIn: string;
  /** Trying again… */
  retryNow: string;
  /** Connected to the server again. */
  connectedAgain: string;
  /** Start sync */
  start: string;
  /** Starting… */
  starting: string;
  /** Full sync */
  startFull: string;
  /** Reads everything from Cliniko again. Start sync reads what changed. */
  startFullHint: string;
  /** Cancel */
  cancel: string;
  /** Cancelling… */
  cancelling: string;
  /** Refresh */
  refresh: string;
  /** Try again */
  tryAgain: string;
  /** Enter another key */
  enterKey: string;
  /** Steps */
  steps: string;
  /** {percent} percent, step {number} of 8: {step} */
  progressText: string;
  /** took {time} */
  stepTook: string;
  /** took {time}, waited {waited} */
  stepTookWaited: string;
  /** Patients found */
  patientsFound: string;
  /** Appointments found */
  appointmentsFound: string;
  /** Active patients */
  activeFound: string;
  /** Stored */
  activeStored: string;
  /** {active} of {all} patients are active: {recent} seen recently, {upcoming} with an appointment ahead. */
  active: string;
  /** The stored patients are as of {time}. */
  stored: string;
  /** No patients are stored yet. */
  nothingStored: string;
  /** full sync */
  fullSync: string;
  /** incremental sync */
  incrementalSync: string;
  /** Log */
  log: string;
  /** Log lines */
  logLines: string;
  /** Level */
  level: string;
  /** All */
  allLevels: string;
  /** Clear log */
  clearLog: string;
  /** Show cleared lines */
  restoreLog: string;
  /** No lines. */
  noLines: string;
  /** 1 line of another level is hidden. */
  oneHidden: string;
  /** {count} lines of other levels are hidden. */
  hidden: string;
  /** {count} older lines are left out. */
  dropped: string;
  /** Show {count} earlier lines */
  showEarlier: string;
  /** Past syncs */
  history: string;
  /** No sync has ended yet. */
  noHistory: string;
  /** Show more */
  showMore: string;
  /** Loading… */
  loading: string;
  /** Cliniko */
  cliniko: string;
  /** Connected to {account} */
  connectedTo: string;
  /** Cliniko API key */
  apiKey: string;
  /** Connect to Cliniko */
  addKey: string;
  /** Replace the API key */
  replaceKey: string;
  /** Connect */
  connect: string;
  /** Checking the key… */
  checkingKey: string;
}

export type LabelName = keyof AllLabels;
