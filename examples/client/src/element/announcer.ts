// What a screen reader announces: each change of a sync once, and that the connection is back. What went wrong is in alerts.

import type { SyncView } from '../core';
import type { Words } from '../words';
import type { SayCard } from '../words/card';

export class Announcer {
  /** The last sentence; empty at first, so that a page that was just opened is silent. */
  text = '';
  private wasLost = false;

  /** Forgets everything, for another organization. */
  reset(): void {
    this.text = '';
    this.wasLost = false;
  }

  /** Takes what changed from one view to the next. */
  note(before: SyncView, view: SyncView, words: Words, card: SayCard): void {
    if (view.connection === 'lost') this.wasLost = true;
    if (view.connection === 'live' && this.wasLost) {
      this.wasLost = false;
      this.text = card('connectedAgain');
    }
    if (!view.sync || view.sync === before.sync || before.overview === null) return;
    this.text = words.announcement(before.sync, view.sync, Date.now() - view.clockOffset) ?? this.text;
  }
}
