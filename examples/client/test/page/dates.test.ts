import { expect, test } from 'vitest';

import { clinicDates } from '../../src/page/patients/dates';

const NOW = '2026-11-26T10:00:00.000Z';

test('days and times are those of the clinic, with the year if it is another one', () => {
  const sydney = clinicDates('Australia/Sydney', NOW);
  expect(sydney.dayAndTime('2026-03-03T14:30:00.000Z')).toBe('Wed 4 Mar, 01:30');
  expect(sydney.day('2025-12-31T12:00:00.000Z')).toBe('Wed 31 Dec 2025');
  expect(sydney.day('2025-12-31T13:00:00.000Z')).toBe('Thu 1 Jan'); // it is 2026 there
});

test('a time zone that the browser does not know counts as UTC', () => {
  expect(clinicDates('Nowhere/Land', NOW).dayAndTime('2026-03-03T14:30:00.000Z')).toBe('Tue 3 Mar, 14:30');
});
