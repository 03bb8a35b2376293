// How statuses, steps, levels, numbers and times are called on the page.

import type { LogLevel, SyncFragment, SyncState, SyncStep } from './gql/graphql';

export const STATUS_TEXTS: Record<SyncState, string> = {
  IDLE: 'Idle',
  STARTING: 'Starting',
  FETCHING_PATIENTS: 'Fetching patients',
  FETCHING_APPOINTMENTS: 'Fetching appointments',
  ANALYZING: 'Analyzing',
  STORING: 'Storing',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
};

/** In their order: the first one is step 1. */
export const STEP_TEXTS: Record<SyncStep, string> = {
  INITIALIZING: 'Initializing',
  CHECKING_CONFIG: 'Checking config',
  CHECKING_CREDENTIALS: 'Checking credentials',
  FETCHING_PATIENTS: 'Fetching patients',
  FETCHING_APPOINTMENTS: 'Fetching appointments',
  LOADING_TYPES: 'Loading types',
  ANALYZING: 'Analyzing',
  STORING: 'Storing',
};

export const LEVEL_TEXTS: Record<LogLevel, string> = {
  INFO: 'Info',
  SUCCESS: 'Success',
  WARNING: 'Warning',
  ERROR: 'Error',
};

/** How much a sync reads, as a part of a list; nothing while that is not decided. */
export const MODE_TEXTS: Record<SyncFragment['mode'], string[]> = {
  AUTO: [],
  FULL: ['full sync'],
  INCREMENTAL: ['incremental sync'],
};

/** What a sync waits for. The server's own sentence has the seconds of the moment at which it was written. */
export const WAIT_TEXTS: Record<NonNullable<SyncFragment['waitingFor']>, string> = {
  RATE_LIMIT: "Waiting for Cliniko's rate limit",
  CLINIKO_RETRY: 'Waiting to ask Cliniko again',
  DATABASE: 'Waiting for the database of the server',
};

const NUMBERS = new Intl.NumberFormat('en');
const DAY_AND_TIME = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const MINUTE = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const TIME = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

/** `1247` as `1,247`. */
export const number = (value: number): string => NUMBERS.format(value);

const COUNT = /(?<![\w.,-])\d{4,}(?= (?:of \d|(?:[a-z]+ ){0,2}(?:patients|appointments|attendees|types|rows)\b))|(?<=\d of )\d{4,}(?![\w.,-])/g;

/** A sentence of the server with its counts written like all others: `600 of 1,247`. Ids and years stay as they are. */
export const withFigures = (sentence: string): string => sentence.replace(COUNT, (digits) => number(Number(digits)));

/** Such as `Dec 22, 14:30`, where the reader is. */
export const dayAndTime = (iso: string): string => DAY_AND_TIME.format(new Date(iso));

/** Such as `14:30`, where the reader is; with the day on another day. */
export const timeOrDay = (iso: string): string =>
  new Date(iso).toDateString() === new Date().toDateString() ? MINUTE.format(new Date(iso)) : dayAndTime(iso);

/** Such as `14:30:22`, where the reader is. */
export const time = (iso: string): string => TIME.format(new Date(iso));

/** Milliseconds as `9 s`, `2 min 5 s` or `1 h 12 min`; nothing is less than 0 s. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
