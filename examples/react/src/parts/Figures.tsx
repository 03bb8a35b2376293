// The four counts of the sync, and what is known of the clinic's patients since the last completed one.

import type { CardLabelName } from '../../../client/src/words/card';
import { storedBy } from '../../../client/src/words/stored';
import type { Scene } from '../scene';

export function Figures({ scene: { state, words, card } }: { scene: Scene }) {
  const { sync, overview } = state;
  const counts: [CardLabelName, number | undefined][] = [
    ['patientsFound', sync?.patientsFound],
    ['appointmentsFound', sync?.appointmentsFound],
    ['activeFound', sync?.activePatientsIdentified],
    ['activeStored', storedBy(sync)],
  ];
  const stats = overview?.patientStats;
  return (
    <>
      <dl className="routiq-counts">
        {counts.map(([name, count]) => (
          <div key={name}>
            <dt>{card(name)}</dt>
            <dd>{count === undefined ? '–' : words.number(count)}</dd>
          </div>
        ))}
      </dl>
      {stats?.lastSyncTime && (
        <p className="routiq-patients">
          {card('active', {
            active: words.number(stats.activePatients),
            all: words.number(stats.patientsInCliniko),
            recent: words.number(stats.patientsWithRecent),
            upcoming: words.number(stats.patientsWithUpcoming),
          })}
        </p>
      )}
    </>
  );
}
