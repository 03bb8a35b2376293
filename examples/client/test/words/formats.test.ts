import { expect, test } from 'vitest';

import { createWords } from '../../src/words';

const words = createWords();

test('counts in sentences have separators; ids and years have none', () => {
  const sentences = {
    'Found 1247 appointments': 'Found 1,247 appointments',
    '300 of 100641 patients': '300 of 100,641 patients',
    '1300 of 20641 patients': '1,300 of 20,641 patients',
    'Fetching appointments… 100 of 1247': 'Fetching appointments… 100 of 1,247',
    'Fetching appointments… 1131 of 1247': 'Fetching appointments… 1,131 of 1,247',
    'Identified 1089 active patients': 'Identified 1,089 active patients',
    'Left out patient 123456 in 2024': 'Left out patient 123456 in 2024',
    sync_org_20241222_143022: 'sync_org_20241222_143022',
  };
  expect(Object.keys(sentences).map(words.withFigures)).toEqual(Object.values(sentences));
});

test('durations are whole seconds with at most two units', () => {
  const durations: [number, string][] = [
    [0, '0 s'], [0.2, 'under 1 s'], [3.4, '3 s'], [8, '8 s'], [8.04, '8 s'], [59.6, '1 min'], [61, '1 min 1 s'],
    [3600, '1 h'], [3725, '1 h 2 min'],
  ];
  for (const [seconds, text] of durations) expect(words.duration(seconds)).toBe(text);
});

test('an age has one unit', () => {
  const ages: [number, string][] = [
    [-3, 'just now'], [59, 'just now'], [60, '1 min ago'], [3599, '59 min ago'], [3600, '1 h ago'], [47 * 3600, '47 h ago'], [50 * 3600, '2 d ago'],
  ];
  for (const [seconds, text] of ages) expect(words.age(seconds)).toBe(text);
});

test('another language has its own numbers, times and sentences', () => {
  const german = createWords({ locale: 'de-DE', labels: { requests: '{count} Anfragen', COMPLETED: 'Fertig', today: 'heute {time}' } });
  expect(german.requests(1234)).toBe('1.234 Anfragen');
  expect(german.name('COMPLETED')).toBe('Fertig');
  expect(german.name('FAILED')).toBe('Failed');
  expect(german.dayAndTime(new Date().toISOString())).toMatch(/^heute \d\d:\d\d$/);
});

test('a value of a later server is shown as it is', () => {
  expect(words.name('PAUSED_BY_MOON')).toBe('PAUSED_BY_MOON');
});

test('data is late once a newer sync should have completed', () => {
  const now = Date.parse('2026-11-26T14:00:00Z');
  const fresh = { checkedAt: '2026-11-26T13:56:00Z', freshUntil: '2026-11-26T14:30:00Z' };
  expect(words.freshness(fresh, '2026-11-26T14:25:00Z', now)).toEqual({
    text: expect.stringMatching(/^Checked 4 min ago · next sync .*\d\d:\d\d$/) as string,
    isLate: false,
  });
  const late = words.freshness(fresh, '2026-11-26T14:25:00Z', now + 3_600_000);
  expect(late.isLate).toBe(true);
  expect(late.text).toContain('Checked 1 h ago · A newer sync was due');
  expect(words.freshness({ ...fresh, freshUntil: null }, null, now)).toEqual({ text: 'Checked 4 min ago', isLate: false });
  expect(words.freshness(null, null, now)).toEqual({ text: '', isLate: false });
});

test('a locale that browsers do not know leaves the sentences readable', () => {
  expect(createWords({ locale: 'de_DE' }).number(1234)).toBe('1.234');
  for (const locale of ['', 'no language', '-', 'x']) expect(createWords({ locale }).number(1234)).toBe('1,234');
});

test('moments in sentences are written where the reader is', () => {
  const written = words.dayAndTime('2026-03-02T22:24Z');
  expect(words.withFigures('What has changed since 2026-03-02 22:24 UTC')).toBe(`What has changed since ${written}`);
});
