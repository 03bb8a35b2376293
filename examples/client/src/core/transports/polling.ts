// A request each second: works wherever requests work.

import { PollDocument } from '../gql/graphql';
import type { Follow } from './transport';

const POLL_MS = 1000;
const PAGE_OF_LINES = 100;

export const byPolling: Follow = async ({ organizationId, requests, knowledge, heard, pause }, signal, opened) => {
  while (!signal.aborted) {
    const began = Date.now();
    const syncId = knowledge.sync?.syncId ?? null;
    const variables = { organizationId, syncId: syncId ?? '-', after: knowledge.seq, hasSync: syncId !== null };
    const { dashboard, syncStatus } = await requests.ask(PollDocument, variables, { signal, optional: ['syncStatus'] });
    opened();
    heard();
    const lines = syncStatus?.log ?? [];
    if (syncId !== null) for (const line of lines) knowledge.noteLine(syncId, line);
    knowledge.noteOverview(dashboard);
    const isBehind = lines.length >= PAGE_OF_LINES || (knowledge.sync?.syncId ?? null) !== syncId;
    await pause(isBehind ? 0 : Math.max(0, POLL_MS - (Date.now() - began)), signal);
  }
};
