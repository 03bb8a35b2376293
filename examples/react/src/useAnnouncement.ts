// What screen readers announce: each change of a sync once, and that the connection is back. Problems are alerts of their own.

import { useEffect, useRef, useState } from 'react';

import type { SyncView } from '../../client/src/core';
import type { Words } from '../../client/src/words';
import type { SayCard } from '../../client/src/words/card';

/** The newest sentence; empty at first, as a page that was just opened is silent. */
export function useAnnouncement(view: SyncView, words: Words, card: SayCard): string {
  const [text, setText] = useState('');
  const previous = useRef(view);
  const wasLost = useRef(false);
  useEffect(() => {
    const before = previous.current;
    previous.current = view;
    if (view.overview === null) {
      wasLost.current = false;
      setText(''); // nothing is known of this organization yet
      return;
    }
    if (view.connection === 'lost') wasLost.current = true;
    if (view.connection === 'live' && wasLost.current) {
      wasLost.current = false;
      setText(card('connectedAgain'));
    }
    if (!view.sync || view.sync === before.sync || before.overview === null) return;
    const change = words.announcement(before.sync, view.sync, Date.now() - view.clockOffset);
    if (change !== null) setText(change);
  });
  return text;
}
