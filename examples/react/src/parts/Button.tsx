// A button that stays focusable while it can't be used: `disabled` would drop the focus of a person at the keyboard.

import type { ReactNode } from 'react';

interface Props {
  isDisabled: boolean;
  isMain?: boolean;
  /** The id of the element that explains the button. */
  describedBy?: string;
  onPress: () => void;
  children: ReactNode;
}

export function Button({ isDisabled, isMain = false, describedBy, onPress, children }: Props) {
  return (
    <button
      type="button"
      className={isMain ? 'routiq-main' : undefined}
      aria-disabled={isDisabled}
      aria-describedby={describedBy}
      onClick={() => {
        if (!isDisabled) onPress();
      }}
    >
      {children}
    </button>
  );
}
