// A server with the real schema, real HTTP and real websockets, whose answers the tests write.

import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { buildSchema, graphql } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

import type { LogLine, Overview, Sync } from '../../src/core';

type Receipt = NonNullable<Sync['receipt']>;
type ListReceipt = Receipt['lists'][number];

export const ORGANIZATION = 'org_1';

export function syncOf(part: Partial<Sync> = {}): Sync {
  const syncId = part.syncId ?? 'sync_org_1_20241222_143022';
  return {
    syncId,
    mode: 'FULL',
    status: 'FETCHING_PATIENTS',
    step: 'FETCHING_PATIENTS',
    progressPercentage: 43,
    currentStep: '300 of 641 patients',
    currentStepNumber: 4,
    patientsFound: 300,
    appointmentsFound: 0,
    activePatientsIdentified: 0,
    activePatientsStored: 0,
    startedAt: '2024-12-22T14:30:22.123Z',
    lastUpdated: '2024-12-22T14:30:25.123Z',
    completedAt: null,
    durationSeconds: null,
    estimatedCompletion: null,
    estimatedCompletionRange: null,
    waitingFor: null,
    resumesAt: null,
    failure: null,
    startedBy: null,
    cancelledBy: null,
    steps: [],
    version: 10,
    receipt: null,
    ...part,
  };
}

export function completed(part: Partial<Sync> = {}): Sync {
  return syncOf({
    status: 'COMPLETED',
    step: 'STORING',
    progressPercentage: 100,
    currentStep: 'Sync completed successfully!',
    currentStepNumber: 8,
    patientsFound: 641,
    appointmentsFound: 1247,
    activePatientsIdentified: 89,
    activePatientsStored: 89,
    lastUpdated: '2024-12-22T14:30:42.123Z',
    completedAt: '2024-12-22T14:30:42.123Z',
    durationSeconds: 20,
    version: 54,
    ...part,
  });
}

/** What a sync's comparison of a list came to: it agrees, unless the test says otherwise. */
export function listOf(part: Partial<ListReceipt> = {}): ListReceipt {
  return { list: 'patients', inCliniko: 641, inMirror: 641, agrees: true, added: 0, updated: 0, removed: 0, unreadable: 0, compared: null, of: null, ...part };
}

export function receiptOf(lists: ListReceipt[], agrees: boolean | null = true): Receipt {
  return { agrees, checkedAt: '2024-12-22T14:30:41.123Z', requests: 14, lists };
}

export function overviewOf(part: Partial<Overview> = {}): Overview {
  return {
    organizationId: ORGANIZATION,
    syncAvailable: true,
    currentSync: null,
    lastSync: null,
    lastSuccessfulSync: null,
    patientStats: {
      activePatients: 0,
      patientsInCliniko: 0,
      patientsWithRecent: 0,
      patientsWithUpcoming: 0,
      lastSyncTime: null,
    },
    connection: null,
    nextSync: null,
    nextSyncAt: null,
    freshness: null,
    ...part,
  };
}

export function lineOf(seq: number, part: Partial<LogLine> = {}): LogLine {
  const time = '2024-12-22T14:30:23.000Z';
  return { seq, time, level: 'INFO', step: 'INITIALIZING', message: `Line ${seq}`, ...part };
}

/** Hands out what was pushed so far, then what is pushed later, until it is closed. */
class Feed<Item> {
  items: Item[] = [];
  isClosed = false;
  private wake = () => {};
  private news = new Promise<void>((resolve) => (this.wake = resolve));

  push(...items: Item[]): void {
    this.items.push(...items);
    this.notify();
  }

  close(): void {
    this.isClosed = true;
    this.notify();
  }

  async *read(from: number): AsyncGenerator<Item> {
    for (let next = from; ; ) {
      const { news } = this;
      while (next < this.items.length) yield this.items[next++]!;
      if (this.isClosed) return;
      await news;
    }
  }

  private notify(): void {
    this.wake();
    this.news = new Promise((resolve) => (this.wake = resolve));
  }
}

export class TestServer {
  /** Every handshake so far, with what it brought to prove who asks. */
  handshakes: Record<string, unknown>[] = [];
  /** What pings have brought, those without anything left out. */
  renewals: unknown[] = [];
  /** Every subscription so far. */
  subscribed: { name: string; variables: Record<string, unknown> }[] = [];
  /** The `Authorization` of every request so far. */
  authorizations: (string | undefined)[] = [];
  /** The cursors with which whole logs were asked for. */
  logReads: number[] = [];
  /** The modes in which syncs were started. */
  modes: string[] = [];
  openSockets = 0;
  /** How many sockets were ever opened. */
  attempts = 0;
  /** What mutations and queries answer. */
  answers: Record<string, unknown> = {};
  /** Close new sockets with this code instead of serving them. */
  refusal: number | null = null;
  readonly reason = 'This token is not accepted here.';
  /** Let no websocket through, as a proxy that doesn't forward them. */
  refusesSockets = false;
  /** Answer as another program would that has the port. */
  isAnotherProgram = false;

  private readonly dashboards = new Feed<Overview>();
  private readonly logs = new Map<string, Feed<LogLine>>();
  private http!: Server;
  private sockets!: WebSocketServer;
  private port = 0;

  get apiBaseUrl(): string {
    return `http://127.0.0.1:${this.port}/api/v1`;
  }

  async start(): Promise<void> {
    const schema = buildSchema(readFileSync('../../schema.graphql', 'utf8'));
    const { dashboards, logs, answers } = this;
    const rootValue = {
      async *dashboardUpdated() {
        for await (const dashboard of dashboards.read(Math.max(0, dashboards.items.length - 1))) {
          yield { dashboardUpdated: dashboard };
        }
      },
      async *syncLog({ syncId, after }: { syncId: string; after: number }) {
        for await (const line of (logs.get(syncId) ?? new Feed<LogLine>()).read(after)) yield { syncLog: line };
      },
      dashboard: () => answers['dashboard'],
      startSync: ({ mode }: { mode: string }) => {
        this.modes.push(mode);
        return answers['startSync'];
      },
      cancelSync: () => answers['cancelSync'],
      connectCliniko: () => answers['connectCliniko'],
      syncStatus: async () => {
        const answer = (await answers['syncStatus']) as object | null | undefined;
        if (answer instanceof Error) throw answer;
        return answer && { organizationId: ORGANIZATION, ...answer };
      },
      history: ({ after }: { after: string | null }) => answers[`history ${after ?? ''}`.trim()],
    };
    this.http = createServer((asked, answer) => {
      const chunks: Buffer[] = [];
      if (this.isAnotherProgram) {
        answer.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Another program</h1>');
        return;
      }
      if (asked.method === 'GET' && asked.url?.startsWith('/api/v1/sync/log/')) {
        const { pathname, searchParams } = new URL(asked.url, 'http://127.0.0.1');
        const syncId = decodeURIComponent(pathname.split('/').at(-1)!);
        const after = Number(searchParams.get('after') ?? 0);
        this.logReads.push(after);
        const lines = this.logOf(syncId).items.filter(({ seq }) => seq > after);
        const rest = lines.map((line) => ({ ...line, level: line.level.toLowerCase(), step: line.step.toLowerCase() }));
        const body = JSON.stringify({ sync_id: syncId, last_seq: lines.at(-1)?.seq ?? after, lines: rest });
        answer.writeHead(200, { 'Content-Type': 'application/json' }).end(body);
        return;
      }
      if (asked.method === 'GET') {
        const isHealth = asked.url === '/healthz';
        const body = isHealth ? { status: 'ok' } : { title: 'Bad Request', detail: 'There is no operation.' };
        const status = isHealth ? 200 : asked.url === '/graphql' ? 400 : 404;
        answer.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
        return;
      }
      if (asked.url !== '/graphql') {
        answer.writeHead(404, { 'Content-Type': 'application/json' }).end('{"detail": "Not found"}');
        return;
      }
      this.authorizations.push(asked.headers.authorization);
      asked.on('data', (chunk: Buffer) => chunks.push(chunk));
      asked.on('end', () => {
        const { query, variables } = JSON.parse(Buffer.concat(chunks).toString()) as {
          query: string;
          variables: Record<string, unknown>;
        };
        void graphql({ schema, source: query, variableValues: variables, rootValue }).then((result) =>
          answer.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(result)),
        );
      });
    });
    const verifyClient = () => !this.refusesSockets && !this.isAnotherProgram;
    this.sockets = new WebSocketServer({ server: this.http, path: '/graphql', verifyClient });
    this.sockets.on('connection', (socket) => {
      this.openSockets += 1;
      this.attempts += 1;
      socket.on('close', () => (this.openSockets -= 1));
      if (this.refusal) socket.close(this.refusal, this.reason);
    });
    useServer(
      {
        schema,
        roots: { subscription: rootValue },
        onConnect: ({ connectionParams }) => void this.handshakes.push(connectionParams ?? {}),
        onPing: (_context, payload) => {
          if (payload) this.renewals.push(payload);
        },
        onSubscribe: (_context, _id, { query, variables }) => {
          const name = /subscription (\w+)/.exec(query)?.[1] ?? '';
          this.subscribed.push({ name, variables: { ...variables } });
        },
      },
      this.sockets,
    );
    await new Promise<void>((resolve) => this.http.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.http.address() as AddressInfo).port;
  }

  /** Ends without goodbye. `start` again serves on the same port. */
  async kill(): Promise<void> {
    this.drop();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Closes all sockets, as for a token that was not renewed in time. */
  expire(): void {
    for (const socket of this.sockets.clients) socket.close(4403, 'The token has expired. Reconnect with a fresh one.');
  }

  /** Cuts all sockets. */
  drop(): void {
    for (const socket of this.sockets.clients) socket.terminate();
  }

  show(overview: Overview): void {
    this.dashboards.push(overview);
  }

  write(syncId: string, ...lines: LogLine[]): void {
    this.logOf(syncId).push(...lines);
  }

  endLog(syncId: string): void {
    this.logOf(syncId).close();
  }

  /** The cursors with which a sync's log was asked for. */
  cursors(syncId: string): unknown[] {
    return this.subscribed.filter(({ variables }) => variables['syncId'] === syncId).map(({ variables }) => variables['after']);
  }

  private logOf(syncId: string): Feed<LogLine> {
    if (!this.logs.has(syncId)) this.logs.set(syncId, new Feed());
    return this.logs.get(syncId)!;
  }
}
