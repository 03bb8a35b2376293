// The bar, the step in words, the times, and what is known before a sync: freshness, and the cost of the next sync. The width
// of the bar is set as a property: a strict Content-Security-Policy forbids the attribute `style`.

import { html, nothing, type TemplateResult } from 'lit-html';

import { isOver, type SyncView } from '../../core';
import type { Scene } from '../scene';

export function progress(scene: Scene): TemplateResult {
  const { view, words, card, now } = scene;
  const { sync, overview } = view;
  const percent = sync?.progressPercentage ?? 0;
  const isRunning = sync !== null && !isOver(sync);
  const wait = sync && words.wait(sync, now);
  const text = sync ? words.stepText(sync, now) : emptyText(scene);
  const valueText = sync
    ? card('progressText', { percent, number: sync.currentStepNumber, step: wait ? wait.step : words.withFigures(sync.currentStep) })
    : text;
  return html`<div part="progress" data-status=${sync?.status ?? 'IDLE'} ?data-waiting=${wait !== null}>
      <div
        class="bar"
        part="bar"
        role="progressbar"
        aria-labelledby="heading"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${percent}
        aria-valuetext=${valueText}
      ><div class="fill" part="fill" ?data-running=${isRunning && wait === null} .style=${`width: ${percent}%`}></div></div>
      <p class="step-text" part="step"><span>${text}</span><span class="percentage" part="percentage">${percent} %</span></p>
      <p class="times" part="times">${times(scene)}</p>
      ${wait ? html`<p class="small muted">${wait.text}</p>` : nothing}
    </div>
    ${freshness(scene, overview)} ${nextSync(scene, overview, isRunning)}`;
}

function emptyText({ view: { overview, connection }, card, words }: Scene): string {
  if (overview) return overview.syncAvailable ? card('nothingSynced') : words.say('notConnected');
  return card(connection === 'connecting' || connection === 'live' ? 'asking' : 'nothingKnown');
}

function times({ view: { sync }, words, card, asOf }: Scene): string {
  if (!sync) return '';
  const mode = sync.mode === 'FULL' ? [card('fullSync')] : sync.mode === 'INCREMENTAL' ? [card('incrementalSync')] : [];
  const actors = words.actors(sync);
  return [words.timeSoFar(sync, asOf), words.timeLeft(sync, asOf), ...mode, ...(actors ? [actors] : [])].join(' · ');
}

function freshness({ words, now }: Scene, overview: SyncView['overview']): TemplateResult | typeof nothing {
  if (!overview) return nothing;
  const { text, isLate } = words.freshness(overview.freshness, overview.nextSyncAt, now);
  if (!text) return nothing;
  return html`<p class="small ${isLate ? 'late' : 'muted'}" part="freshness" ?data-late=${isLate}>${text}</p>`;
}

function nextSync({ words }: Scene, overview: SyncView['overview'], isRunning: boolean): TemplateResult | typeof nothing {
  if (!overview?.nextSync || !overview.syncAvailable || isRunning) return nothing;
  return html`<p class="small muted" part="next-sync">${words.nextSync(overview.nextSync)}</p>`;
}
