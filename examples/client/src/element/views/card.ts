// The whole element.

import { html, type TemplateResult } from 'lit-html';

import type { Scene } from '../scene';
import { connection } from './connection';
import { failure } from './failure';
import { figures } from './figures';
import { head } from './head';
import { history } from './history';
import { log } from './log';
import { problems } from './problems';
import { progress } from './progress';
import { receipt } from './receipt';
import { steps } from './steps';

const RIGHT_TO_LEFT = /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/;

export function card(scene: Scene): TemplateResult {
  const { parts, language, announcement } = scene;
  return html`<section part="card" aria-labelledby="heading" lang=${language} dir=${RIGHT_TO_LEFT.test(language) ? 'rtl' : 'ltr'}>
    ${head(scene)} ${problems(scene)} ${progress(scene)} ${receipt(scene)} ${steps(scene)} ${failure(scene)} ${figures(scene)}
    ${parts.has('connection') ? connection(scene) : ''} ${parts.has('log') ? log(scene) : ''} ${parts.has('history') ? history(scene) : ''}
    <p class="unseen" role="status">${announcement}</p>
  </section>`;
}
