// The eight steps: done, running, to come, the one in which the sync ended, or not reached; with the time that each took.

import { html, nothing, type TemplateResult } from 'lit-html';

import { STEPS } from '../../core';
import { STEP_STATE_LABELS, stepState, type StepState } from '../../words';
import type { Scene } from '../scene';

const MARKS: Record<StepState, string> = { done: '✓', running: '●', failed: '✕', cancelled: '✕', todo: '', unreached: '' };

export function steps(scene: Scene): TemplateResult {
  const { view, words, card } = scene;
  return html`<ol part="steps" aria-label=${card('steps')} data-status=${view.sync?.status ?? 'IDLE'}>
    ${STEPS.map((step, index) => {
      const state = stepState(index + 1, view.sync);
      const stage = state === 'failed' || state === 'cancelled' ? 'ended' : state;
      return html`<li data-stage=${stage} aria-current=${state === 'running' ? 'step' : nothing}>
        <span class="mark" aria-hidden="true">${MARKS[state] || index + 1}</span>
        <span>${words.name(step)}<span class="unseen"> (${words.say(STEP_STATE_LABELS[state])})</span>${took(scene, step)}</span>
      </li>`;
    })}
  </ol>`;
}

/** How long a step took, its waits included and named. */
function took({ view: { sync }, words, card }: Scene, step: string): TemplateResult | typeof nothing {
  const timing = sync?.steps.find((one) => one.step === step);
  if (!timing?.endedAt) return nothing;
  const time = words.duration((Date.parse(timing.endedAt) - Date.parse(timing.startedAt)) / 1000);
  const waited = timing.waitedSeconds >= 1 ? words.duration(timing.waitedSeconds) : '';
  return html`<span class="took">${waited ? card('stepTookWaited', { time, waited }) : card('stepTook', { time })}</span>`;
}
