// A real Routiq server with its emulated clinic, as `routiq-gql demo` starts it, behind a proxy that can refuse transports.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const DEMO_ORGANIZATION = 'org_2xwHiNrj68eaRUlX10anlXGvzX7';

/** The Python of the repository's environment; the tests of the repository name theirs. */
const PYTHON = process.env['ROUTIQ_PYTHON'] ?? resolve('../../.venv/bin/python');

/** `routiq-gql demo` in a folder of its own. Its sync begins with it and takes about `seconds`. */
export class Demo {
  private readonly folder = mkdtempSync(join(tmpdir(), 'routiq-'));
  private process: ChildProcess | null = null;
  port = 0;

  async start({ seconds, auth = false }: { seconds: number; auth?: boolean }): Promise<void> {
    const options = ['--port', String(this.port), '--seconds', String(seconds), ...(auth ? ['--auth'] : [])];
    const started = spawn(PYTHON, ['-m', 'routiq_gql', 'demo', ...options], {
      cwd: this.folder,
      env: { ...process.env, PYTHONPATH: resolve('../..') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = started;
    this.port = await new Promise<number>((found, failed) => {
      let printed = '';
      const read = (text: Buffer) => {
        printed += text.toString();
        const port = /http:\/\/127\.0\.0\.1:(\d+)|http:\/\/localhost:(\d+)/.exec(printed);
        if (port) found(Number(port[1] ?? port[2]));
      };
      started.stdout.on('data', read);
      started.stderr.on('data', read);
      started.on('exit', () => failed(new Error(`The demo has ended:\n${printed}`)));
    });
  }

  /** Ends without goodbye. `start` again resumes on the same port. */
  async kill(): Promise<void> {
    const ended = this.process;
    this.process = null;
    if (!ended || ended.exitCode !== null || ended.signalCode !== null) return;
    const exit = new Promise((done) => ended.on('exit', done));
    ended.kill('SIGKILL');
    await exit;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** In front of a server: forwards requests and websockets, unless a test switches that off. */
export class Proxy {
  refusesSockets = false;
  refusesStreams = false;
  /** Answers streams with a head and holds back their bodies. */
  holdsStreams = false;
  /** The paths that were asked for; websockets as `websocket`. */
  asked: string[] = [];
  private readonly server: Server;
  private readonly open = new Set<Socket>();
  private readonly target: () => number;

  constructor(target: () => number) {
    this.target = target;
    this.server = createServer((asked, answer) => this.forward(asked, answer));
    this.server.on('connection', (socket) => {
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    this.server.on('upgrade', (asked: IncomingMessage, client: Socket, head: Buffer) => this.upgrade(asked, client, head));
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get apiBaseUrl(): string {
    return `${this.origin}/api/v1`;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.open) socket.destroy();
  }

  async end(): Promise<void> {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }

  private forward(asked: IncomingMessage, answer: ServerResponse): void {
    const path = asked.url ?? '/';
    this.asked.push(path);
    const isStream = path.includes('/sync/stream/');
    if (isStream && this.refusesStreams) {
      answer.writeHead(502, { 'Content-Type': 'text/plain' }).end('No streams here');
      return;
    }
    const onward = request({ host: '127.0.0.1', port: this.target(), path, method: asked.method, headers: asked.headers }, (found) => {
      found.on('error', () => answer.destroy()); // the server has broken off
      answer.writeHead(found.statusCode ?? 502, found.headers);
      if (isStream && this.holdsStreams) answer.flushHeaders();
      else found.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    asked.pipe(onward);
  }

  private upgrade(asked: IncomingMessage, client: Socket, head: Buffer): void {
    this.asked.push('websocket');
    if (this.refusesSockets) {
      client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const server = connect(this.target(), '127.0.0.1', () => {
      const headers = asked.rawHeaders.reduce((text, part, index) => text + part + (index % 2 ? '\r\n' : ': '), '');
      server.write(`GET ${asked.url ?? '/'} HTTP/1.1\r\n${headers}\r\n`);
      server.write(head);
      server.pipe(client);
      client.pipe(server);
    });
    const stop = () => {
      server.destroy();
      client.destroy();
    };
    for (const end of [server, client]) end.on('error', stop).on('close', stop);
  }
}
