/** Dates and times of appointments where people read them: in the clinic's time zone, wherever the browser is. */

/** How days and times are written for one clinic. */
export interface ClinicDates {
  /** Such as `Tue 4 Mar`, with the year if it is not that of the list. */
  day: (iso: string) => string;
  /** Such as `Tue 4 Mar, 14:30`. */
  dayAndTime: (iso: string) => string;
}

/** The dates of a clinic. A time zone that the browser does not know counts as UTC. `now`: what year needs no mention. */
export function clinicDates(timeZone: string, now: string): ClinicDates {
  const zone = isKnown(timeZone) ? timeZone : 'UTC';
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-GB', { timeZone: zone, ...options });
  const parts = format({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
  const time = format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const read = (iso: string): Record<string, string> =>
    Object.fromEntries(parts.formatToParts(new Date(iso)).map(({ type, value }) => [type, value]));
  const { year: thisYear } = read(now);
  const day = (iso: string): string => {
    const { weekday = '', day: number = '', month = '', year = '' } = read(iso);
    return `${weekday} ${number} ${month}${year === thisYear ? '' : ` ${year}`}`;
  };
  return { day, dayAndTime: (iso) => `${day(iso)}, ${time.format(new Date(iso))}` };
}

/** Such as `2026-11-26`, for names of files. */
export const dateOf = (iso: string, timeZone: string): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone: isKnown(timeZone) ? timeZone : 'UTC' }).format(new Date(iso)); // en-CA is ISO 8601

function isKnown(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone });
    return true;
  } catch {
    return false;
  }
}
