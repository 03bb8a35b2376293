// What a failed request is called: a fault of the server only if it is one.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, test } from 'vitest';

import { Denied, Unreachable, sentenceOf } from '../../src/core';
import { placeOf } from '../../src/core/address';
import { Requests, readJson } from '../../src/core/requests';
import { Tokens } from '../../src/core/tokens';

let server: Server | null = null;

afterEach(async () => {
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server?.close(resolve));
  server = null;
});

/** Requests to a server that answers so. */
async function requestsTo(answer: RequestListener, token = ''): Promise<Requests> {
  const begun = (server = createServer(answer));
  await new Promise<void>((resolve) => begun.listen(0, '127.0.0.1', resolve));
  const tokens = new Tokens(undefined);
  tokens.give(token);
  return new Requests(placeOf({ apiBaseUrl: `http://127.0.0.1:${(begun.address() as AddressInfo).port}/api/v1` }), tokens);
}

const json = { 'Content-Type': 'application/json' };
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => expect.fail('It did not fail.'), (error: unknown) => error);
const ask = (requests: Requests, limits = {}): Promise<unknown> => failure(requests.ask('query{a}', {}, limits));

test('a request that the page gave up itself is no fault of the server, before its answer and within it', async () => {
  const late = new AbortController();
  const silent = await requestsTo(() => late.abort());
  expect(await ask(silent, { signal: late.signal })).toBe(late.signal.reason);
  await new Promise((resolve) => server?.close(resolve).closeAllConnections());

  const within = new AbortController();
  const slow = await requestsTo((_asked, answer) => void answer.writeHead(200, json).write('{"data":'));
  const response = await slow.send(slow.place.graphql, {}, { signal: within.signal });
  within.abort();
  const error = await failure(readJson(response));
  expect(error).toMatchObject({ name: 'AbortError' });
  expect(error).not.toBeInstanceOf(Unreachable);
});

test('an answer that does not come in time is said to be late, also if it has begun', async () => {
  const silent = await requestsTo(() => undefined);
  expect(await ask(silent, { milliseconds: 100 })).toMatchObject({ message: expect.stringMatching('did not answer in time') as string });
  await new Promise((resolve) => server?.close(resolve).closeAllConnections());

  const slow = await requestsTo((_asked, answer) => void answer.writeHead(200, json).write('{"data":'));
  const error = await ask(slow, { milliseconds: 500 });
  expect(error).toBeInstanceOf(Unreachable);
  expect(sentenceOf(error)).toMatch('did not answer in time');
});

test('an answer that breaks off is one that did not arrive in full', async () => {
  const requests = await requestsTo((_asked, answer) => {
    answer.writeHead(200, json).write('{"data":', () => answer.destroy());
  });
  const error = await ask(requests);
  expect(error).toBeInstanceOf(Unreachable);
  expect(sentenceOf(error)).toMatch('did not answer in full');
});

test('a server that is away could not be reached', async () => {
  const requests = await requestsTo(() => undefined);
  await new Promise((resolve) => server?.close(resolve));
  server = null;
  const error = await ask(requests);
  expect(error).toBeInstanceOf(Unreachable);
  expect(sentenceOf(error)).toMatch('could not be reached');
});

test('an answer that is no JSON is called unreadable, with its status', async () => {
  const requests = await requestsTo((_asked, answer) => void answer.writeHead(200, json).end('{"data":'));
  const error = await ask(requests);
  expect(error).toBeInstanceOf(Unreachable);
  expect(sentenceOf(error)).toMatch('can\'t be read (status 200)');
});

test('a token that no request can carry is called that, and the server is not asked', async () => {
  let asked = 0;
  const requests = await requestsTo(() => void (asked += 1), 'token “quoted”');
  const error = await ask(requests);
  expect(error).toBeInstanceOf(Denied);
  expect(sentenceOf(error)).toMatch('No token has such characters');
  expect(asked).toBe(0);
});

test('a mistake in this code is called one of the page', async () => {
  const requests = await requestsTo((_asked, answer) => void answer.writeHead(200, json).end('{"data":{}}'));
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const error = await failure(requests.ask('query{a}', circular as never));
  expect(error).not.toBeInstanceOf(Unreachable);
  expect(sentenceOf(error)).toMatch(/^Something went wrong on this page/);
});
