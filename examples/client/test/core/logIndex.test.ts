// A log of 10,000 lines: what is found in it, and how it grows.

import { expect, test } from 'vitest';

import { GrowingLog, LEVELS, type LogLine, STEPS } from '../../src/core';
import { lineOf } from './server';

const MANY = 10_000;

function manyLines(): LogLine[] {
  return Array.from({ length: MANY }, (_none, index) =>
    lineOf(index + 1, {
      level: index % 100 === 99 ? 'WARNING' : 'INFO',
      step: STEPS[Math.floor((index * STEPS.length) / MANY)]!,
      message: index === 4321 ? 'Found 1247 appointments' : `Page ${index + 1} of patients`,
    }),
  );
}

test('ten thousand lines are indexed and searched, and every line is found by its number', () => {
  const log = new GrowingLog();
  log.add(manyLines());
  expect(log.length).toBe(MANY);
  expect([...log.search('found 1247')]).toEqual([4321]);
  expect([...log.search('1,247 APPOINTMENTS')]).toEqual([4321]); // as the page writes it
  expect(log.search('').length).toBe(MANY);
  expect(log.search('nowhere').length).toBe(0);
  expect(log.indexOf(4322)).toBe(4321);
  expect(log.line(4321).seq).toBe(4322);
  expect(log.indexOf(MANY + 1)).toBe(-1);
});

test('filters of level and step are combined with the search, and counts cover all lines', () => {
  const log = new GrowingLog();
  log.add(manyLines());
  expect(log.levelCounts).toEqual({ INFO: 9900, SUCCESS: 0, WARNING: 100, ERROR: 0 });
  expect(Object.values(log.stepCounts)).toEqual(STEPS.map(() => MANY / STEPS.length));
  expect(log.search('', new Set(['WARNING'])).length).toBe(100);
  const found = log.search('page 1', new Set(['WARNING']), new Set(['INITIALIZING']));
  expect([...found].map((index) => log.line(index).seq)).toEqual([100, 1000, 1100, 1200]);
  expect(log.search('', new Set(LEVELS), new Set(STEPS)).length).toBe(MANY);
  expect(log.search('', new Set()).length).toBe(0);
});

test('a line that is known is not added again, and an older result is known to be out of date', () => {
  const log = new GrowingLog();
  expect(log.add([lineOf(1), lineOf(2)])).toBe(true);
  const { version } = log;
  expect(log.add([lineOf(1), lineOf(2)])).toBe(false);
  expect(log.version).toBe(version);
  expect(log.add([lineOf(2), lineOf(3)])).toBe(true);
  expect(log.version).toBeGreaterThan(version);
  expect(log.length).toBe(3);
});
