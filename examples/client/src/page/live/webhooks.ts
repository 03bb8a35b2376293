/** The organization's webhooks that fail or are disabled. Empty for people without the right to webhooks: the server leaves them out. */

import { page } from '../page';
import { ReadFailingWebhooksDocument, type ReadFailingWebhooksQuery } from '../patients/gql/graphql';
import { renderSoon } from '../render';
import { requests } from '../requests';

/** How often a visible page asks. Deliveries fail and are repaired at any time, without a sync. */
const EVERY_MS = 30_000;

export type FailingWebhook = ReadFailingWebhooksQuery['failingWebhooks'][number];

let client: unknown = null;
let askedAt = 0;
let known: readonly FailingWebhook[] = [];

export const failingWebhooks = (): readonly FailingWebhook[] => (client === page.client ? known : []);

/** Asks again if the last answer is old, or is of another organization. */
export function renewWebhooks(): void {
  const { overview, connection } = page.view;
  if (!overview || connection !== 'live' || document.hidden) return;
  if (client === page.client && Date.now() - askedAt < EVERY_MS) return;
  if (client !== page.client) known = [];
  client = page.client;
  askedAt = Date.now();
  void read();
}

async function read(): Promise<void> {
  const asked = page.client;
  try {
    const answer = await requests().ask(ReadFailingWebhooksDocument, { organizationId: page.place.organization });
    if (asked !== page.client) return;
    known = answer.failingWebhooks;
    renderSoon();
  } catch {
    // asked again later; the connection's own notes say what is wrong
  }
}
