/**
 * Whether the organization is kept live: the server looks at Cliniko and syncs as soon as something has changed. The page
 * asks for it apart, when the freshness, the connection or, after a while, anything else changes, as the element's
 * documents have no room for it.
 */

import { page } from '../page';
import { ReadModeDocument } from '../patients/gql/graphql';
import { renderSoon } from '../render';
import { requests } from '../requests';

const SHORTEST_MS = 20_000; // looks become rarer by steps that are longer
const AGAIN_MS = 3000; // looks are as frequent as usual two seconds after this page has asked for the organization

let known = { client: null as unknown, key: '', overview: null as unknown, at: 0, everySeconds: null as number | null };

/** Seconds between two looks; null if the organization is not kept live. */
export const lookSeconds = (): number | null => (known.client === page.client ? known.everySeconds : null);

export const isLive = (): boolean => lookSeconds() !== null;

/** Asks again if the mode may be another one. */
export function renewMode(): void {
  const { overview, connection } = page.view;
  if (!overview || connection !== 'live') return;
  const key = `${overview.freshness?.freshUntil} ${overview.connection?.state}`;
  const isOld = known.overview !== overview && Date.now() - known.at > SHORTEST_MS;
  if (known.client === page.client && known.key === key && !isOld) return;
  known = { client: page.client, key, overview, at: Date.now(), everySeconds: lookSeconds() };
  void read(known);
}

async function read(mine: typeof known): Promise<void> {
  if (mine !== known) return;
  try {
    const { dashboard } = await requests().ask(ReadModeDocument, { organizationId: page.place.organization });
    mine.everySeconds = dashboard.freshness?.lookIntervalSeconds ?? null;
    if (dashboard.freshness?.mode === 'UNWATCHED') setTimeout(() => void read(mine), AGAIN_MS);
  } catch {
    mine.key = ''; // asked again with the next news
  }
  if (mine === known) renderSoon();
}
