// A focused element that goes away would leave the focus to the whole page, and a keyboard would start again from its top.

import { type FocusEvent, type RefObject, useEffect, useRef } from 'react';

interface FocusHandlers {
  onFocus: (event: FocusEvent) => void;
  onBlur: (event: FocusEvent) => void;
}

/** Handlers for the element around all that can have the focus. If the focused element is removed, `heading` gets the focus. */
export function useKeptFocus(heading: RefObject<HTMLElement | null>): FocusHandlers {
  const focused = useRef<Element | null>(null);
  useEffect(() => {
    if (!focused.current || focused.current.isConnected) return;
    focused.current = null;
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
  });
  return {
    onFocus: ({ target }) => {
      focused.current = target;
    },
    onBlur: ({ target }) => {
      // A removed element is blurred, too; it is out of the document at the end of this turn.
      queueMicrotask(() => {
        if (target.isConnected && focused.current === target) focused.current = null;
      });
    },
  };
}
