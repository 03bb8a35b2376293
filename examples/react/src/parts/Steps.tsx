// The eight steps: done, running, to come, the one in which the sync ended, or not reached; with the time that each took.

import { STEPS } from '../../../client/src/core';
import { STEP_STATE_LABELS, type StepState, stepState } from '../../../client/src/words';
import type { Scene } from '../scene';

const MARKS: Record<StepState, string> = { done: '✓', running: '●', failed: '✕', cancelled: '✕', todo: '', unreached: '' };
const STAGES: Record<StepState, string> = {
  done: 'done',
  running: 'running',
  failed: 'ended',
  cancelled: 'ended',
  todo: 'to come',
  unreached: 'not reached',
};

export function Steps({ scene }: { scene: Scene }) {
  const { state, words, card } = scene;
  return (
    <ol className="routiq-steps" aria-label={card('steps')} data-status={state.sync?.status ?? 'IDLE'}>
      {STEPS.map((step, index) => {
        const stepIs = stepState(index + 1, state.sync);
        return (
          <li key={step} data-stage={STAGES[stepIs]} aria-current={stepIs === 'running' ? 'step' : undefined}>
            <span className="routiq-mark" aria-hidden="true">
              {MARKS[stepIs] || index + 1}
            </span>
            <span>
              {words.name(step)}
              <span className="routiq-unseen"> ({words.say(STEP_STATE_LABELS[stepIs])})</span>
              <Took scene={scene} step={step} />
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** How long a step took, with its waits apart. */
function Took({ scene: { state, words, card }, step }: { scene: Scene; step: string }) {
  const timing = state.sync?.steps.find((one) => one.step === step);
  if (!timing?.endedAt) return null;
  const time = words.duration((Date.parse(timing.endedAt) - Date.parse(timing.startedAt)) / 1000);
  const waited = timing.waitedSeconds >= 1 ? words.duration(timing.waitedSeconds) : null;
  return <span className="routiq-took">{waited ? card('stepTookWaited', { time, waited }) : card('stepTook', { time })}</span>;
}
