// REST's form of a sync and of a log line in GraphQL's words: keys in camelCase, names of states in capitals.

import type { LogLine, Sync } from './types';

interface RestSync {
  status: string;
  step: string;
  mode: string;
  waiting_for: string | null;
  started_at: string;
  completed_at: string | null;
  failure: { code: string; step: string } | null;
}

type Actor = Sync['startedBy'];

/** The status that `GET /status/{sync_id}` and an unnamed event of a stream have. */
export function syncFromRest(json: unknown): Sync {
  const rest = json as RestSync;
  const sync = inCamelCase(json) as Sync;
  const { failure } = sync;
  return {
    ...sync,
    status: (rest.failure?.code === 'CANCELLED' ? 'CANCELLED' : rest.status.toUpperCase()) as Sync['status'],
    step: rest.step.toUpperCase() as Sync['step'],
    mode: rest.mode.toUpperCase() as Sync['mode'],
    waitingFor: (rest.waiting_for?.toUpperCase() ?? null) as Sync['waitingFor'],
    durationSeconds: rest.completed_at === null ? null : Math.max(0, Date.parse(rest.completed_at) - Date.parse(rest.started_at)) / 1000,
    steps: sync.steps.map((timing) => ({ ...timing, step: timing.step.toUpperCase() as Sync['step'] })),
    startedBy: actorFromRest(sync.startedBy),
    cancelledBy: actorFromRest(sync.cancelledBy),
    failure: failure && { ...failure, step: failure.step.toUpperCase() as Sync['step'] },
  };
}

/** The data of `event: log` of a stream, and a line of a whole log. */
export function lineFromRest(json: unknown): LogLine {
  const { seq, time, level, step, message } = json as LogLine;
  return { seq, time, level: level.toUpperCase() as LogLine['level'], step: step.toUpperCase() as LogLine['step'], message };
}

function actorFromRest(actor: Actor): Actor {
  return actor && { ...actor, kind: actor.kind.toUpperCase() as NonNullable<Actor>['kind'] };
}

function inCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inCamelCase);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase()),
    inCamelCase(inner),
  ]);
  return Object.fromEntries(entries) as unknown;
}
