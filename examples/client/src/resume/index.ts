// Subscriptions that resume after a cut, for every library over graphql-ws: Apollo Client, urql, Relay, graphql-ws alone.
// It is an entry of its own in the element's package. graphql-ws serializes an operation anew on each reconnect; here its
// `after` is then the newest cursor. A frame that the old socket delivers late arrives twice, so repetitions are dropped.

/** What an operation over the socket is made of. */
export interface Operation {
  query?: string | null;
  variables?: Record<string, unknown> | null | undefined;
}

/** Where graphql-ws delivers. */
interface Sink {
  next(result: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

/** The part of graphql-ws' `Client` that is used. */
export interface SocketClient {
  subscribe(operation: Operation, sink: Sink): () => void;
  iterate(operation: Operation): AsyncIterableIterator<unknown>;
}

/** The field of an event that is passed as `after` to continue behind it, for each subscription that can resume. */
const CURSORS: Record<string, string> = { syncLog: 'seq', patientsChanged: 'cursor' };

/** More cursors than frames that a closed socket can still deliver. */
const MOST_CURSORS = 10_000;

/**
 * The same client, whose subscriptions with a variable `$after` continue behind their last event after each reconnect: every
 * event once and in order. Select the event's cursor, `seq` or `cursor`. Other operations are passed on as they are.
 *
 * @param cursors The name of the cursor in the events of further subscriptions, by name or alias. Aliases of `syncLog` and
 * `patientsChanged` need none, except in trusted documents, which are sent without their text.
 */
export function resumable<Client extends SocketClient>(client: Client, cursors: Record<string, string> = {}): Client {
  const known = { ...CURSORS, ...cursors };
  return {
    ...client,
    subscribe(operation, sink) {
      if (!canResume(operation)) return client.subscribe(operation, sink);
      const followed = follow(operation, known);
      return client.subscribe(followed.operation, {
        next: (result) => followed.isNew(result) && sink.next(result),
        error: (problem) => sink.error(problem),
        complete: () => sink.complete(),
      });
    },
    iterate(operation) {
      if (!canResume(operation)) return client.iterate(operation);
      const followed = follow(operation, known);
      const events = client.iterate(followed.operation);
      const next = events.next.bind(events);
      events.next = async () => {
        for (;;) {
          const event = await next();
          if (event.done || followed.isNew(event.value)) return event;
        }
      };
      return events;
    },
  };
}

/** Trusted documents are sent without their text; their events show whether they can resume. */
const canResume = ({ query }: Operation) => !query || /\bsubscription\b[^{]*\$after\b/.test(query);

/** The field that the text has under this alias; empty without one. */
const aliased = ({ query }: Operation, alias: string) => new RegExp(`\\b${alias}\\s*:\\s*(\\w+)\\s*\\(`).exec(query ?? '')?.[1] ?? '';

/** The operation with `after` as of its newest event. */
function follow(operation: Operation, cursors: Record<string, string>) {
  let newest: unknown;
  let hasWarned = false;
  const seen = new Set();
  return {
    operation: {
      ...operation,
      get variables() {
        return newest === undefined ? operation.variables : { ...operation.variables, after: newest };
      },
    },
    isNew(result: unknown): boolean {
      const { data } = result as { data?: Record<string, Record<string, unknown> | null> | null };
      for (const [field, event] of Object.entries(data ?? {})) {
        const name = cursors[field] ?? cursors[aliased(operation, field)];
        if (!event || !name) continue;
        const cursor = event[name];
        if (cursor === undefined) {
          if (!hasWarned) console.warn(`${field} can't resume after a cut, and repeats its events. Select its field ${name}.`);
          hasWarned = true;
        } else if (seen.has(cursor)) {
          return false;
        } else {
          newest = cursor;
          seen.add(cursor);
          if (seen.size > MOST_CURSORS) seen.delete(seen.values().next().value);
        }
      }
      return true;
    },
  };
}
