// A button that stays focusable while it can't be used: `disabled` would drop the focus of a person at the keyboard.

import type { ReactNode } from 'react';

interface Props {
  isDisabled: boolean;
  isMain?: boolean;
  onPress: () => void;
  children: ReactNode;
}

export function Button({ isDisabled, isMain = false, onPress, children }: Props) {
  return (
    <button
      type="button"
      className={isMain ? 'routiq-main' : undefined}
      aria-disabled={isDisabled}
      onClick={() => {
        if (!isDisabled) onPress();
      }}
    >
      {children}
    </button>
  );
}
