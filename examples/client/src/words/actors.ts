/** Who or what started or cancelled a sync. */

import { nameFrom, type Say } from './labels';

/** A person, the schedule or the terminal; `name` is the subject of a person's token. */
export interface Actor {
  kind: string;
  name: string | null;
}

/** A sync, as far as this module reads it. */
export interface Acted {
  syncId: string;
  startedBy?: Actor | null;
  cancelledBy?: Actor | null;
}

/** A person's name as the issuer of tokens has it, `a person`, `the schedule` or `the terminal`. */
export function actorText(actor: Actor, say: Say): string {
  return actor.name ?? nameFrom(say)(actor.kind);
}

/** `Started by the schedule · Cancelled by user_1`; empty for syncs of earlier versions. */
export function actorsText(sync: Acted, say: Say): string {
  return [
    ...(sync.startedBy ? [say('startedBy', { who: actorText(sync.startedBy, say) })] : []),
    ...(sync.cancelledBy ? [say('cancelledBy', { who: actorText(sync.cancelledBy, say) })] : []),
  ].join(' · ');
}
