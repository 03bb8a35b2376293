import { expect, test } from 'vitest';

import type { Sync } from '../../src/core';
import { storedBy } from '../../src/words/stored';

test('a sync that ended without success has stored nothing, which is not the number 0', () => {
  const sync = { activePatientsStored: 0, failure: null } as Sync;
  expect(storedBy(sync)).toBe(0);
  for (const code of ['CANCELLED', 'KEY_REFUSED']) expect(storedBy({ ...sync, failure: { code } } as Sync)).toBeUndefined();
  expect(storedBy(null)).toBeUndefined();
});
