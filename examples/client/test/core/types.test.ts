import { expect, test } from 'vitest';

import { ENDINGS, LEVELS, NOTHING_YET, STEPS } from '../../src/core';

test('a view exists before any connection, for pages that a server renders', () => {
  expect(NOTHING_YET).toMatchObject({ connection: 'connecting', sync: null, log: [], history: null });
});

test('the steps, levels and endings are those of the schema', () => {
  expect(STEPS).toHaveLength(8);
  expect(LEVELS).toHaveLength(4);
  expect(Object.keys(ENDINGS)).toEqual(['COMPLETED', 'FAILED', 'CANCELLED']);
});
