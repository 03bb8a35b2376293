/** Announces live changes to screen readers, politely: at most once in five seconds, however many syncs have completed. */

import { say } from '../dom';
import type { ChangeCounts } from '../patients/counts';

const PAUSE_MS = 5_000;

let waiting: ChangeCounts | null = null;
let spokenAt = 0;

/** Announces these changes, together with others that are not announced yet. */
export function announceChanges({ patients, becameActive, becameInactive }: ChangeCounts): void {
  if (!waiting) setTimeout(speak, Math.max(0, spokenAt + PAUSE_MS - Date.now()));
  waiting = {
    patients: (waiting?.patients ?? 0) + patients,
    becameActive: (waiting?.becameActive ?? 0) + becameActive,
    becameInactive: (waiting?.becameInactive ?? 0) + becameInactive,
  };
}

function speak(): void {
  if (!waiting) return;
  say(changesSentence(waiting));
  waiting = null;
  spokenAt = Date.now();
}

/** `Live: 1 patient became active, 2 became inactive, 1 changed otherwise.` */
export function changesSentence({ patients, becameActive, becameInactive }: ChangeCounts): string {
  const others = Math.max(0, patients - becameActive - becameInactive);
  const counted: [number, string][] = [[becameActive, 'became active'], [becameInactive, 'became inactive'], [others, 'changed otherwise']];
  const parts = counted.filter(([count]) => count > 0);
  const text = parts.map(([count, what], index) => `${count}${index ? '' : count === 1 ? ' patient' : ' patients'} ${what}`);
  return `Live: ${text.join(', ')}.`;
}
