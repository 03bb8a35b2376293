/**
 * Keeps the keyboard's focus on a control.
 *
 * An element that is hidden, removed or disabled while it has the focus would leave it to the whole page, and a keyboard
 * would start again from the top. So a disabled button keeps the focus until its reader leaves it, and the focus of an
 * element that goes away moves to what is nearest.
 */

import { byId } from './dom';

let focused: Element | null = null; // what the reader has put the focus on
let around: Element[] = []; // the elements around it, the nearest first

/** Whether the focus can be put on an element: it is shown, and not disabled. */
export const canHoldFocus = (target: Element): boolean =>
  target.isConnected && !(target as HTMLButtonElement).disabled && target.checkVisibility();

/** Whether the whole page has the focus, so that a keyboard would start from the top. */
export const isFocusLost = (): boolean => document.activeElement === document.body || document.activeElement === null;

// The summary of a <details> that was closed, the button that opened what is hidden, the heading of the section, the title.
function nearestTo(gone: Element): HTMLElement {
  for (const one of around) {
    if (one.matches('details') && !one.contains(gone.closest('summary'))) {
      const summary = one.querySelector('summary');
      if (summary && canHoldFocus(summary)) return summary;
    }
    const opener = one.id ? document.querySelector<HTMLElement>(`[aria-controls="${one.id}"]`) : null;
    if (opener && canHoldFocus(opener)) return opener;
    const heading = one.matches('section') ? one.querySelector('h2') : null;
    if (heading?.checkVisibility()) return heading;
  }
  return byId('title');
}

/** Puts the focus on an element, also on one that a keyboard does not reach by itself. */
export function moveFocus(target: HTMLElement, options?: FocusOptions): void {
  if (!target.matches('button, input, select, summary, a')) target.tabIndex = -1;
  target.focus(options);
}

function keepFocus(): void {
  if (!focused || canHoldFocus(focused)) return;
  const gone = focused;
  focused = null;
  if (gone.closest('dialog')) return; // which gives the focus back itself
  if (isFocusLost() || document.activeElement === gone) moveFocus(nearestTo(gone));
}

/** Disables a button. One that has the focus keeps it, and does nothing. */
export function setDisabled(id: string, isDisabled: boolean, button = byId<HTMLButtonElement>(id)): void {
  const mayKeepFocus = document.activeElement === button;
  button.disabled = isDisabled && !mayKeepFocus;
  if (isDisabled) button.setAttribute('aria-disabled', 'true');
  else button.removeAttribute('aria-disabled');
}

/** Begins; `renderSoon` is called when a button that only looks disabled was left. */
export function watchFocus(renderSoon: () => void): void {
  document.addEventListener('focusin', ({ target }) => {
    focused = target as Element;
    around = [];
    for (let one = focused.parentElement; one; one = one.parentElement) around.push(one);
  });
  document.addEventListener('focusout', ({ target }) => {
    const left = target as Element;
    queueMicrotask(() => {
      const isLeftByReader = document.activeElement !== left && canHoldFocus(left);
      if (isLeftByReader && focused === left) focused = null;
    });
    if (left.matches('[aria-disabled=true]')) renderSoon();
  });
  document.addEventListener(
    'click',
    (event) => {
      if (!(event.target as Element).closest('[aria-disabled=true]')) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
  const attributeFilter = ['hidden', 'disabled', 'open', 'class'];
  new MutationObserver(keepFocus).observe(document.body, { subtree: true, childList: true, attributeFilter });
}
