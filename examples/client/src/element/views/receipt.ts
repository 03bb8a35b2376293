// The receipt of the last sync: whether the stored rows agree with Cliniko by count, and each list that differs or was not
// compared.

import { html, nothing, type TemplateResult } from 'lit-html';

import type { VerdictTone } from '../../words';
import type { Scene } from '../scene';

const VERDICTS: Record<VerdictTone, string> = { green: 'agrees', amber: 'differs', blue: 'compared in part', grey: 'not compared' };

export function receipt({ view: { sync }, words }: Scene): TemplateResult | typeof nothing {
  if (!sync?.receipt) return nothing;
  const { tone, line, differences, gaps } = words.receipt(sync.receipt);
  const details = [...differences, ...gaps];
  return html`<div class="small" part="receipt" data-verdict=${VERDICTS[tone]}>
    <p>${line}</p>
    ${details.length > 0 ? html`<ul>${details.map((detail) => html`<li>${detail}</li>`)}</ul>` : nothing}
  </div>`;
}
