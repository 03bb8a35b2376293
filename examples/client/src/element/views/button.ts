// A button that stays focusable while it can't be used: `disabled` would drop the focus of a person at the keyboard.

import { html, nothing, type TemplateResult } from 'lit-html';

interface Options {
  isDisabled?: boolean;
  isMain?: boolean;
  /** The id of the element that explains the button. */
  describedBy?: string;
  /** Its name in `::part(…)`, beside `button`. */
  part?: string;
}

export function button(text: string, press: () => void, options: Options = {}): TemplateResult {
  const { isDisabled = false, isMain = false, describedBy, part = '' } = options;
  return html`<button
    type="button"
    part=${`button ${part}`.trim()}
    class=${isMain ? 'main' : nothing}
    aria-disabled=${isDisabled}
    aria-describedby=${describedBy ?? nothing}
    @click=${() => {
      if (!isDisabled) press();
    }}
  >${text}</button>`;
}
