/** One way to write numbers, durations and times, in every view. */

import type { Say } from './labels';

// The server's sentences have counts without separators. A count stands before the things it counts, unlike an id or a year.
const COUNT =
  /(?<![\w.,-])\d{4,}(?= (?:of \d|(?:[a-z]+ ){0,2}(?:patients|appointments|attendees|types|rows)\b))|(?<=\d of )\d{4,}(?![\w.,-])/g;
// And moments: `2026-11-26 22:24 UTC`.
const MOMENT = /([-\d]{10}) (\d\d:\d\d) UTC/g;

/** How one language and region writes them. */
export type Formats = ReturnType<typeof formatsFor>;

/** Formats for a language and region. */
export function formatsFor(locale: string, say: Say) {
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const numbers = new Intl.NumberFormat(locale);
  const minute = new Intl.DateTimeFormat(locale, clock);
  const second = new Intl.DateTimeFormat(locale, { ...clock, second: '2-digit' });
  const calendarDay = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });

  /** `1247` as `1,247`. */
  const number = (value: number): string => numbers.format(value);

  /** A sentence of the server with counts and moments like all others: `600 of 1,247`, `today 22:24`. Ids stay as they are. */
  const withFigures = (sentence: string): string =>
    sentence.replace(COUNT, (digits) => number(+digits)).replace(MOMENT, (_, day, time) => dayAndTime(`${day}T${time}Z`));

  /** Such as `14:30:22`, where the reader is. */
  const clockTime = (iso: string | number): string => second.format(new Date(iso));

  /** Such as `14:30`; with its day unless that is today. */
  const timeOrDay = (iso: string): string =>
    isToday(iso) ? minute.format(new Date(iso)) : dayAndTime(iso);

  /** Such as `today 14:30` or `2 Mar 2026, 14:30`. */
  const dayAndTime = (iso: string): string => {
    const moment = new Date(iso);
    const time = minute.format(moment);
    return isToday(iso) ? say('today', { time }) : `${calendarDay.format(moment)}, ${time}`;
  };

  /** Whole seconds and at most two units: `9 s`, `2 min 5 s`, `1 h 12 min`. */
  const duration = (seconds: number): string => {
    if (seconds > 0 && seconds < 0.5) return say('underASecond');
    const whole = Math.max(0, Math.round(seconds));
    const units =
      whole < 60
        ? [say('seconds', { count: whole })]
        : whole < 3600
          ? [say('minutes', { count: Math.floor(whole / 60) }), whole % 60 && say('seconds', { count: whole % 60 })]
          : [
              say('hours', { count: number(Math.floor(whole / 3600)) }),
              Math.floor((whole % 3600) / 60) && say('minutes', { count: Math.floor((whole % 3600) / 60) }),
            ];
    return units.filter(Boolean).join(' ');
  };

  /** One unit only, for an age that grows: `just now`, `4 min ago`, `3 h ago`, `2 d ago`. */
  const age = (seconds: number): string => {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return say('justNow');
    const time =
      minutes < 60
        ? say('minutes', { count: minutes })
        : minutes < 48 * 60
          ? say('hours', { count: Math.floor(minutes / 60) })
          : say('days', { count: number(Math.floor(minutes / 1440)) });
    return say('ago', { time });
  };

  /** `patients, attendees and practitioners`. */
  const listed = (words: readonly string[]): string =>
    words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')}${say('and')}${words.at(-1)}`;

  return { number, withFigures, clockTime, timeOrDay, dayAndTime, duration, age, listed };
}

function isToday(iso: string): boolean {
  return new Date(iso).toDateString() === new Date().toDateString();
}
