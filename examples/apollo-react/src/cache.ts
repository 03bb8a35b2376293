// src/cache.ts
import { InMemoryCache, type Reference } from '@apollo/client';

export const cache = new InMemoryCache({
  typePolicies: {
    CompletionRange: { merge: true },
    Freshness: { merge: true },
    NextSync: { merge: true },
    PatientStats: { merge: true },
    SyncActor: { merge: true },
    SyncChangeCounts: { merge: true },
    SyncFailure: { merge: true },
    SyncReceipt: { merge: true },
    UnreadableRow: { keyFields: false },
    SyncStatus: { fields: { log: { keyArgs: false, merge: withNewLines } } },
    Query: { fields: { history: { keyArgs: ['organizationId', 'limit', 'status'], merge: withNextPage } } },
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
