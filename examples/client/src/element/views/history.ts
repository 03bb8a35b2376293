// Past syncs, newest first: when, how each ended, how long it took, and its result. Each opens in the dashboard if the
// element was given its address.

import { html, nothing, type TemplateResult } from 'lit-html';

import { isOver, type Sync } from '../../core';
import type { Scene } from '../scene';
import { button } from './button';

export function history(scene: Scene): TemplateResult {
  const { view, card, actions } = scene;
  const past = view.history?.syncs.filter(isOver) ?? [];
  const isLoading = view.history?.isLoading ?? true;
  return html`<div class="section" part="history">
    <h3>${card('history')}</h3>
    ${past.length > 0
      ? html`<ol class="past">${past.map((sync) => row(sync, scene))}</ol>`
      : html`<p class="below">${card(isLoading ? 'loading' : 'noHistory')}</p>`}
    ${view.history?.nextCursor
      ? html`<p class="below">${button(card(isLoading ? 'loading' : 'showMore'), () => actions.loadMoreHistory(), { isDisabled: isLoading, part: 'show-more' })}</p>`
      : nothing}
  </div>`;
}

function row(sync: Sync, { words, dashboardUrl }: Scene): TemplateResult {
  const when = html`<time datetime=${sync.startedAt}>${words.dayAndTime(sync.startedAt)}</time>`;
  const result = sync.failure ? words.withFigures(sync.failure.message) : sync.receipt ? words.receipt(sync.receipt).verdict : '';
  return html`<li part="past-sync" data-sync=${sync.syncId}>
    <span>${dashboardUrl ? html`<a href=${linkTo(dashboardUrl, sync.syncId)}>${when}</a>` : when}</span>
    <span><span class="badge" data-status=${sync.status}>${words.name(sync.status)}</span></span>
    <span>${words.duration(sync.durationSeconds ?? 0)}</span>
    <span>${result}</span>
  </li>`;
}

/** The address of the dashboard page with `?sync=ID`; other parameters stay. */
function linkTo(dashboardUrl: string, syncId: string): string {
  const url = new URL(dashboardUrl, document.baseURI);
  url.searchParams.set('sync', syncId);
  return url.href;
}
