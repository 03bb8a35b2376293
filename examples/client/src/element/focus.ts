// A focused element that goes away would leave the focus to the whole page, and a keyboard would start again from its top.

/**
 * Runs `update`. If it removes the element with the focus, the focus goes to the heading; if it folds the element away, to
 * the summary that unfolds it.
 */
export function keepFocus(root: ShadowRoot, update: () => void): void {
  const focused = root.activeElement;
  update();
  if (!focused) return;
  if (!focused.isConnected) root.querySelector<HTMLElement>('#heading')?.focus();
  else if (focused.localName !== 'summary') focused.closest('details:not([open])')?.querySelector('summary')?.focus();
}
