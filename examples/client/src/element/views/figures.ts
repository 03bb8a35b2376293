// The four counts of the sync, and what is known of the clinic's patients since the last completed one.

import { html, nothing, type TemplateResult } from 'lit-html';

import type { CardLabelName } from '../../words/card';
import { storedBy } from '../../words/stored';
import type { Scene } from '../scene';

export function figures({ view: { sync, overview }, words, card }: Scene): TemplateResult {
  const counts: [CardLabelName, number | undefined][] = [
    ['patientsFound', sync?.patientsFound],
    ['appointmentsFound', sync?.appointmentsFound],
    ['activeFound', sync?.activePatientsIdentified],
    ['activeStored', storedBy(sync)],
  ];
  const stats = overview?.patientStats;
  return html`<dl part="counts">
      ${counts.map(
        ([name, count]) =>
          html`<div part="count"><dt>${card(name)}</dt><dd>${count === undefined ? '–' : words.number(count)}</dd></div>`,
      )}
    </dl>
    ${stats?.lastSyncTime
      ? html`<p part="patients">
          ${card('active', {
            active: words.number(stats.activePatients),
            all: words.number(stats.patientsInCliniko),
            recent: words.number(stats.patientsWithRecent),
            upcoming: words.number(stats.patientsWithUpcoming),
          })}
        </p>`
      : nothing}`;
}
