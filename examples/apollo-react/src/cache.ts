// src/cache.ts
import { InMemoryCache, type Reference } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';

export const cache = new InMemoryCache({
  possibleTypes: {
    Node: [
      'ClinikoConnection',
      'Dashboard',
      'Patient',
      'PatientChange',
      'SyncLogEntry',
      'SyncStatus',
      'Webhook',
      'WebhookDelivery',
    ],
    Problem: ['CancelSyncProblem', 'ConnectionProblem', 'StartSyncProblem', 'SyncFailure', 'WebhookProblem'],
  },
  typePolicies: {
    CompletionRange: { merge: true },
    Freshness: { merge: true },
    NextSync: { merge: true },
    PatientActivity: { merge: true },
    PatientStats: { merge: true },
    Practitioner: { keyFields: false },
    SyncActor: { merge: true },
    SyncChangeCounts: { merge: true },
    SyncFailure: { merge: true },
    SyncReceipt: { merge: true },
    UnreadableRow: { keyFields: false },
    SyncStatus: { fields: { log: { keyArgs: false, merge: withNewLines }, logConnection: relayStylePagination() } },
    Webhook: { fields: { deliveries: relayStylePagination(['state']) } },
    Query: {
      fields: {
        history: { keyArgs: ['organizationId', 'limit', 'status'], merge: withNextPage },
        historyConnection: relayStylePagination(['organizationId', 'status']),
        patients: relayStylePagination(['organizationId', 'list', 'search', 'practitionerId', 'sort', 'asOf']),
      },
    },
  },
});

/** `log(after: …)` adds lines; each is kept once. */
function withNewLines(known: Reference[] = [], incoming: Reference[]): Reference[] {
  const ids = new Set(known.map((line) => line.__ref));
  return [...known, ...incoming.filter((line) => !ids.has(line.__ref))];
}

type Page = { recentSyncs: Reference[] };

/** `history(after: nextCursor)` adds a page; without `after` the list begins anew. */
function withNextPage(known: Page | undefined, page: Page, { args }: { args: Record<string, unknown> | null }): Page {
  return known && args?.after ? { ...page, recentSyncs: [...known.recentSyncs, ...page.recentSyncs] } : page;
}
