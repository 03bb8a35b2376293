/** Where a person is in a list: kept with the entry of the browser's history, for Back, Forward and a reload. */

import { keepInHistory, keptInHistory } from '../routing';

const KEEPING_MS = 150; // browsers refuse more than some hundred changes of the history in half a minute

/** By positions: the first patient in sight, and the one that Tab reaches. */
export interface RowsPlace {
  first: number;
  current: number;
}

let keeping: ReturnType<typeof setTimeout> | undefined;

/** Keeps a place soon. `place` is called then; null keeps none, undefined changes nothing. */
export function keepPlaceSoon(place: () => RowsPlace | null | undefined): void {
  clearTimeout(keeping);
  keeping = setTimeout(() => {
    const rows = place();
    if (rows !== undefined) keepInHistory({ rows });
  }, KEEPING_MS);
}

/** The place that was kept with the present entry; null for none. */
export function keptPlace(): RowsPlace | null {
  const kept = keptInHistory('rows') as Partial<RowsPlace> | null | undefined;
  return typeof kept?.first === 'number' && typeof kept.current === 'number' ? { first: kept.first, current: kept.current } : null;
}
