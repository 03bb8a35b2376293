// A focused element that goes away would leave the focus to the whole page, and a keyboard would start again from its top.

/** Runs `update`; if it removes the element with the focus, the focus goes to the heading. */
export function keepFocus(root: ShadowRoot, update: () => void): void {
  const focused = root.activeElement;
  update();
  if (focused && !focused.isConnected) root.querySelector<HTMLElement>('#heading')?.focus();
}
