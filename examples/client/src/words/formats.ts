/** One way to write numbers, durations and times, in every view. */

import type { Say } from './labels';

// The server's sentences have counts without separators. A count stands before the things it counts, unlike an id or a year.
const COUNT =
  /(?<![\w.,-])\d{4,}(?= (?:of \d|(?:[a-z]+ ){0,2}(?:patients|appointments|attendees|types|rows)\b))|(?<=\d of )\d{4,}(?![\w.,-])/g;

/** Formats for one language and region. */
export class Formats {
  private readonly numbers: Intl.NumberFormat;
  private readonly minute: Intl.DateTimeFormat;
  private readonly second: Intl.DateTimeFormat;
  private readonly day: Intl.DateTimeFormat;

  constructor(
    locale: string,
    private readonly say: Say,
  ) {
    const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    this.numbers = new Intl.NumberFormat(locale);
    this.minute = new Intl.DateTimeFormat(locale, clock);
    this.second = new Intl.DateTimeFormat(locale, { ...clock, second: '2-digit' });
    this.day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
  }

  /** `1247` as `1,247`. */
  readonly number = (value: number): string => this.numbers.format(value);

  /** A sentence of the server with its counts written like all others: `600 of 1,247`. Ids and years stay as they are. */
  readonly withFigures = (sentence: string): string =>
    sentence.replace(COUNT, (digits) => this.number(Number(digits)));

  /** Such as `14:30:22`, where the reader is. */
  readonly clockTime = (iso: string | number): string => this.second.format(new Date(iso));

  /** Such as `14:30`; with its day unless that is today. */
  readonly timeOrDay = (iso: string): string =>
    isToday(iso) ? this.minute.format(new Date(iso)) : this.dayAndTime(iso);

  /** Such as `today 14:30` or `2 Mar 2026, 14:30`. */
  readonly dayAndTime = (iso: string): string => {
    const moment = new Date(iso);
    const time = this.minute.format(moment);
    return isToday(iso) ? this.say('today', { time }) : `${this.day.format(moment)}, ${time}`;
  };

  /** Whole seconds and at most two units: `9 s`, `2 min 5 s`, `1 h 12 min`. */
  readonly duration = (seconds: number): string => {
    if (seconds > 0 && seconds < 0.5) return this.say('underASecond');
    const whole = Math.max(0, Math.round(seconds));
    const units =
      whole < 60
        ? [this.say('seconds', { count: whole })]
        : whole < 3600
          ? [this.say('minutes', { count: Math.floor(whole / 60) }), whole % 60 && this.say('seconds', { count: whole % 60 })]
          : [
              this.say('hours', { count: this.number(Math.floor(whole / 3600)) }),
              Math.floor((whole % 3600) / 60) && this.say('minutes', { count: Math.floor((whole % 3600) / 60) }),
            ];
    return units.filter(Boolean).join(' ');
  };

  /** One unit only, for an age that grows: `just now`, `4 min ago`, `3 h ago`, `2 d ago`. */
  readonly age = (seconds: number): string => {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return this.say('justNow');
    const time =
      minutes < 60
        ? this.say('minutes', { count: minutes })
        : minutes < 48 * 60
          ? this.say('hours', { count: Math.floor(minutes / 60) })
          : this.say('days', { count: this.number(Math.floor(minutes / 1440)) });
    return this.say('ago', { time });
  };

  /** `patients, attendees and practitioners`. */
  readonly listed = (words: readonly string[]): string =>
    words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')}${this.say('and')}${words.at(-1)}`;
}

function isToday(iso: string): boolean {
  return new Date(iso).toDateString() === new Date().toDateString();
}
