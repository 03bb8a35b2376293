// The types of resume.js. A test compares them with the sources in ../client/src/resume/.

/** What an operation over the socket is made of. */
export interface Operation {
  query?: string | null;
  variables?: Record<string, unknown> | null | undefined;
}

/** The part of graphql-ws' `Client` that is used. */
export interface SocketClient {
  subscribe(
    operation: Operation,
    sink: { next(result: unknown): void; error(error: unknown): void; complete(): void },
  ): () => void;
  iterate(operation: Operation): AsyncIterableIterator<unknown>;
}

/**
 * The same client of graphql-ws, whose subscriptions with a variable `$after` continue behind their last event after each
 * reconnect: every event once and in order. Select the event's cursor: `seq` of `syncLog`, `cursor` of `patientsChanged`.
 * Other operations are passed on as they are.
 *
 * @param cursors The name of the cursor in the events of further subscriptions, by name or alias. Aliases of `syncLog` and
 * `patientsChanged` need none, except in trusted documents, which are sent without their text.
 */
export declare function resumable<Client extends SocketClient>(client: Client, cursors?: Record<string, string>): Client;
