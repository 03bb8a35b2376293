// Waiting for a condition, as tests must not wait for a time.

import { vi } from 'vitest';

const PATIENCE = { timeout: 45_000, interval: 10 };

/** Repeats `check` until it throws nothing. */
export const eventually = (check: () => void): Promise<void> => vi.waitFor(check, PATIENCE);
