// The eight steps: done, running, to come, the one in which the sync ended, or not reached.

import type { SyncStep } from '../gql/graphql';
import type { Sync } from '../useSync';
import { STEP_TEXTS } from '../words';

type Stage = 'done' | 'running' | 'ended' | 'to come' | 'not reached';

const MARKS: Record<Stage, string> = { done: '✓', running: '●', ended: '✕', 'to come': '', 'not reached': '' };

export function Steps({ sync }: { sync: Sync | null }) {
  return (
    <ol className="routiq-steps" aria-label="Steps" data-status={sync?.status ?? 'IDLE'}>
      {(Object.keys(STEP_TEXTS) as SyncStep[]).map((step, index) => {
        const stage = stageOf(index + 1, sync);
        return (
          <li key={step} data-stage={stage} aria-current={stage === 'running' ? 'step' : undefined}>
            <span className="routiq-mark" aria-hidden="true">
              {MARKS[stage] || index + 1}
            </span>
            {STEP_TEXTS[step]}
            <span className="routiq-unseen">, {stage}</span>
          </li>
        );
      })}
    </ol>
  );
}

function stageOf(step: number, sync: Sync | null): Stage {
  if (!sync || step > sync.currentStepNumber) return sync?.completedAt ? 'not reached' : 'to come';
  if (step < sync.currentStepNumber || sync.status === 'COMPLETED') return 'done';
  return sync.completedAt ? 'ended' : 'running';
}
