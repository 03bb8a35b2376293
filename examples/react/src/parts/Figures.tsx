// The four counts of the sync, and what is known of the clinic's patients since the last completed one.

import type { Overview, Sync } from '../useSync';
import { dayAndTime, number } from '../words';

export function Figures({ sync, overview }: { sync: Sync | null; overview: Overview | null }) {
  const counts: [string, number | undefined][] = [
    ['Patients found', sync?.patientsFound],
    ['Appointments found', sync?.appointmentsFound],
    ['Active patients', sync?.activePatientsIdentified],
    ['Stored', sync?.activePatientsStored],
  ];
  return (
    <>
      <dl className="routiq-counts">
        {counts.map(([name, count]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{count === undefined ? '–' : number(count)}</dd>
          </div>
        ))}
      </dl>
      {overview?.patientStats.lastSyncTime && (
        <p className="routiq-patients">
          <strong>
            {number(overview.patientStats.activePatients)} of {number(overview.patientStats.patientsInCliniko)} patients
          </strong>{' '}
          are active: {number(overview.patientStats.patientsWithRecent)} seen recently,{' '}
          {number(overview.patientStats.patientsWithUpcoming)} with an appointment ahead. As of{' '}
          <time dateTime={overview.patientStats.lastSyncTime}>{dayAndTime(overview.patientStats.lastSyncTime)}</time>.
        </p>
      )}
    </>
  );
}
