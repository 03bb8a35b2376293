// The bar, the step in words, and the times; and what is known before a sync: how fresh the data is, and what the next one takes.

import type { CSSProperties } from 'react';

import type { Scene } from '../scene';

export function Progress({ scene }: { scene: Scene }) {
  const { state, words, card, now, titleId } = scene;
  const { sync, isRunning } = state;
  const percent = sync?.progressPercentage ?? 0;
  const wait = sync && words.wait(sync, now);
  const text = sync ? words.stepText(sync, now) : emptyText(scene);
  const step = wait ? wait.step : words.withFigures(sync?.currentStep ?? '');
  return (
    <>
      <div className="routiq-progress" data-status={sync?.status ?? 'IDLE'} data-waiting={wait ? (sync.waitingFor ?? 'OTHER') : undefined}>
        <div
          className="routiq-bar"
          role="progressbar"
          aria-labelledby={titleId}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={percent}
          aria-valuetext={sync ? card('progressText', { percent, number: sync.currentStepNumber, step }) : text}
        >
          <div style={widthOf(percent)} data-running={isRunning && !wait} />
        </div>
        <p className="routiq-step-text">
          <span>{text}</span>
          <span className="routiq-percentage">{percent} %</span>
        </p>
        <p className="routiq-times">{timesOf(scene) || '\u00a0'}</p>
        {wait && <p className="routiq-small">{wait.text}</p>}
      </div>
      <Freshness scene={scene} />
      <NextSync scene={scene} />
    </>
  );
}

/** No style at 0 %, as a server renders it: a strict Content-Security-Policy forbids styles in HTML. */
const widthOf = (percent: number): CSSProperties | undefined => (percent > 0 ? { width: `${percent}%` } : undefined);

function emptyText({ state: { overview, connection }, card, words }: Scene): string {
  if (overview) return overview.syncAvailable ? card('nothingSynced') : words.say('notConnected');
  return card(connection === 'connecting' || connection === 'live' ? 'asking' : 'nothingKnown');
}

function timesOf({ state: { sync }, words, card, asOf }: Scene): string {
  if (!sync) return '';
  const mode = sync.mode === 'FULL' ? card('fullSync') : sync.mode === 'INCREMENTAL' ? card('incrementalSync') : '';
  return [words.timeSoFar(sync, asOf), words.timeLeft(sync, asOf), mode, words.actors(sync)].filter(Boolean).join(' · ');
}

/** Such as `Checked 4 min ago · next sync 14:30`. */
function Freshness({ scene: { state, words, now } }: { scene: Scene }) {
  if (!state.overview) return null;
  const { text, isLate } = words.freshness(state.overview.freshness, state.overview.nextSyncAt, now);
  if (!text) return null;
  return (
    <p className="routiq-small routiq-freshness" data-late={isLate || undefined}>
      {text}
    </p>
  );
}

/** What the next sync would do, before it is started. */
function NextSync({ scene: { state, words } }: { scene: Scene }) {
  const { overview, isRunning } = state;
  if (!overview?.nextSync || !overview.syncAvailable || isRunning) return null;
  return <p className="routiq-small routiq-next">{words.nextSync(overview.nextSync)}</p>;
}
