import type { Sync } from '../core/types';

/** The patients that a sync has stored; undefined for none that is known, and for one that ended without success: it stored nothing. */
export const storedBy = (sync: Sync | null): number | undefined => (sync?.failure ? undefined : sync?.activePatientsStored);
