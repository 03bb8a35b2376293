import { expect, test } from 'vitest';

import { words } from '../../src/page/page';

test('moments in sentences are written where the reader is', () => {
  const written = words.dayAndTime('2026-03-02T22:24Z');
  expect(words.withFigures('What has changed since 2026-03-02 22:24 UTC')).toBe(`What has changed since ${written}`);
});
