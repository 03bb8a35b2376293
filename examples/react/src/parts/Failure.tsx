// Why the newest sync ended without success, what to do, and that the patients stored before are still there.

import type { Overview, Sync } from '../useSync';
import { dayAndTime, withFigures } from '../words';

export function Failure({ sync, overview }: { sync: Sync | null; overview: Overview | null }) {
  if (!sync?.failure) return null;
  return (
    <div className={sync.status === 'CANCELLED' ? 'routiq-hint' : 'routiq-alert'}>
      <strong>{withFigures(sync.failure.message)}</strong> {sync.failure.whatToDo}
      {overview && <p className="routiq-stored">{storedText(overview)}</p>}
    </div>
  );
}

/** A sync stores all patients at once, at its end; one that fails or is cancelled stores none. */
function storedText({ patientStats: { lastSyncTime } }: Overview): string {
  if (!lastSyncTime) return 'No patients are stored yet.';
  return `The stored patients are unchanged, as of ${dayAndTime(lastSyncTime)}.`;
}
