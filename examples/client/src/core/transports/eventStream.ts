// Server-sent events of the running sync, with its log. While no sync runs, the overview is asked for every few seconds.

import { Blocked, Refused, Unreachable } from '../errors';
import { lineFromRest, syncFromRest } from '../fromRest';
import { ReadOverviewDocument } from '../gql/graphql';
import { isOver } from '../types';
import { type Follow, type Route, SHORT_LIVED_MS } from './transport';

const FIRST_BYTE_WITHIN_MS = 5000; // a stream begins at once, unless something on the way holds it back
const LONGEST_SILENCE_MS = 45_000; // heartbeats come every 15 s
const IDLE_LOOK_MS = 3000; // how soon a sync that someone else has started is noticed
const DAY_MS = 24 * 3600 * 1000;

const BROKEN = 'The event stream broke.';

export const byEventStream: Follow = async (route, signal, opened) => {
  const { organizationId, requests, knowledge, heard, pause } = route;
  while (!signal.aborted) {
    const { dashboard } = await requests.ask(ReadOverviewDocument, { organizationId }, { signal });
    knowledge.noteOverview(dashboard);
    const { sync } = knowledge;
    // The stream of a sync that has ended brings what is missing of its log, or is empty (204).
    if (sync && (!isOver(sync) || route.unreadSyncId === sync.syncId)) {
      if (await isReadToItsEnd(route, sync.syncId, signal, opened)) route.unreadSyncId = null;
    } else {
      opened();
      heard();
      await pause(IDLE_LOOK_MS, signal);
    }
  }
};

async function isReadToItsEnd(route: Route, syncId: string, signal: AbortSignal, opened: () => void): Promise<boolean> {
  const { requests, knowledge, heard } = route;
  const breaking = new AbortController();
  const begunAt = Date.now();
  let watchdog = setTimeout(() => breaking.abort(), FIRST_BYTE_WITHIN_MS);
  let hasBegun = false;
  try {
    const cursor = `${knowledge.sync?.version ?? 0}.${knowledge.seq}`;
    const headers = { Accept: 'text/event-stream', ...(knowledge.seq ? { 'Last-Event-ID': cursor } : {}) };
    const limits = { signal: AbortSignal.any([signal, breaking.signal]), milliseconds: DAY_MS };
    const response = await requests.get(`/stream/${encodeURIComponent(syncId)}`, headers, limits);
    if (response.status === 204) return true;
    if (!response.body) throw new Blocked(BROKEN);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => breaking.abort(), LONGEST_SILENCE_MS);
      hasBegun = true;
      opened();
      heard();
      const events = (rest + value.replaceAll('\r\n', '\n')).split('\n\n');
      rest = events.pop()!;
      for (const event of events) noteEvent(route, syncId, event);
    }
  } catch (error) {
    if (breaking.signal.aborted && !hasBegun) throw new Blocked(BROKEN);
    if (error instanceof Blocked || error instanceof Refused) throw error;
    if (!hasBegun && error instanceof Unreachable) throw new Blocked(error.message, { cause: error });
    throw new Unreachable(BROKEN, { cause: error });
  } finally {
    clearTimeout(watchdog);
    breaking.abort();
  }
  // Streams end with their tokens, and continue with fresh ones.
  const isEarly = knowledge.sync?.syncId === syncId && !isOver(knowledge.sync);
  if (isEarly && Date.now() - begunAt < SHORT_LIVED_MS) throw new Unreachable(BROKEN);
  return !isEarly;
}

function noteEvent({ knowledge }: Route, syncId: string, text: string): void {
  let name = '';
  let data = '';
  for (const row of text.split('\n')) {
    if (row.startsWith('event:')) name = row.slice(6).trim();
    if (row.startsWith('data:')) data += row.slice(5).trim();
  }
  if (!data) return;
  if (name === 'log') knowledge.noteLine(syncId, lineFromRest(JSON.parse(data)));
  else if (name === '') knowledge.noteSync(syncFromRest(JSON.parse(data)));
}
