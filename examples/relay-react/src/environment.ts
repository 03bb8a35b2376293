// src/environment.ts
import {
  Environment,
  Network,
  Observable,
  RecordSource,
  Store,
  type GraphQLResponse,
  type GraphQLSingularResponse,
  type RequestParameters,
  type Variables,
} from 'relay-runtime';
import { socket } from './socket';

/** Queries, mutations and subscriptions: each is sent as its id in persisted.json. */
function execute({ id, name, text }: RequestParameters, variables: Variables): Observable<GraphQLResponse> {
  const operation = { operationName: name, query: text ?? '', documentId: id, variables };
  return Observable.create((sink) =>
    socket.subscribe(operation, {
      next: (result) => {
        if (result.data) sink.next(result as GraphQLSingularResponse);
        else sink.error(new Error(sentence(result.errors)));
      },
      error: (problem) => sink.error(new Error(sentence(problem))),
      complete: () => sink.complete(),
    }),
  );
}

/** What the server says about a refused request, or about a connection that it closed for good. */
function sentence(problem: unknown): string {
  if (Array.isArray(problem)) {
    const [error] = problem as [{ message: string; extensions?: { code?: string } }];
    return error.extensions?.code === 'PERSISTED_QUERY_NOT_SUPPORTED'
      ? 'The server does not have this app’s documents. Add persisted.json to its ROUTIQ_DOCUMENTS, and restart it.'
      : error.message;
  }
  return (problem instanceof CloseEvent && problem.reason) || 'The server can’t be reached. Load the page again.';
}

/** Types outside of `Node`: their ids are unique within their parents only, so their records belong to these. */
const PARTS = new Set(['OrganizationSummary', 'Practitioner', 'UnreadableRow']);

export const environment = new Environment({
  network: Network.create(execute, execute),
  store: new Store(new RecordSource()),
  getDataID: ({ id }, typename) => (PARTS.has(typename) ? null : id),
});
