// @vitest-environment jsdom

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { ClientOptions } from '../../src/core';
import { RoutiqSync } from '../../src/element';
import { COMPLETED, FAILED, FakeClient, lines, OVERVIEW, SYNC } from './fakeClient';

let clients: FakeClient[];
let options: ClientOptions[];

beforeEach(() => {
  CSSStyleSheet.prototype.replaceSync = () => undefined; // which jsdom does not have
  clients = [];
  options = [];
  RoutiqSync.createClient = (given) => {
    options.push(given);
    clients.push(new FakeClient());
    return clients.at(-1)!;
  };
});

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
});

async function put(markup = '<routiq-sync organization-id="org_1"></routiq-sync>'): Promise<RoutiqSync> {
  document.body.innerHTML = markup;
  const element = document.body.firstElementChild as RoutiqSync;
  await settled();
  return element;
}

/** Changes of one turn are drawn together at its end. */
const settled = (): Promise<void> => Promise.resolve().then(() => undefined);

const root = (element: RoutiqSync): ShadowRoot => element.shadowRoot!;
const textOf = (element: RoutiqSync, selector: string): string =>
  (root(element).querySelector(selector)?.textContent ?? '').replace(/\s+/g, ' ').trim();
const buttonOf = (element: RoutiqSync, text: string): HTMLButtonElement =>
  [...root(element).querySelectorAll('button')].find((one) => one.textContent.trim() === text)!;

async function show(part: Parameters<FakeClient['show']>[0]): Promise<void> {
  clients.at(-1)!.show({ connection: 'live', transport: 'websocket', overview: OVERVIEW, ...part });
  await settled();
}

describe('the life of the element', () => {
  it('connects once its attributes are known, and disconnects when it is removed', async () => {
    const element = await put('<routiq-sync organization-id="org_1" api-base-url="https://example.com/api/v1"></routiq-sync>');
    expect(options).toMatchObject([{ organizationId: 'org_1', apiBaseUrl: 'https://example.com/api/v1' }]);
    expect(clients[0]!.isFollowed).toBe(true);
    element.remove();
    await settled();
    expect(clients[0]!.isFollowed).toBe(false);
  });

  it('stays connected when it is moved, and connects anew once for several changed attributes', async () => {
    const element = await put();
    element.remove();
    document.body.append(element);
    await settled();
    expect(clients).toHaveLength(1);
    element.remove();
    await settled();
    document.body.append(element);
    await settled();
    expect(clients).toHaveLength(2);
    element.organizationId = 'org_2';
    element.apiBaseUrl = '/routiq/api/v1';
    await settled();
    expect(options.slice(2)).toMatchObject([{ organizationId: 'org_2', apiBaseUrl: '/routiq/api/v1' }]);
    expect(clients.map((client) => client.isFollowed)).toEqual([false, false, true]);
  });

  it('keeps properties that were set before the script has run', async () => {
    class Early extends RoutiqSync {}
    document.body.innerHTML = '<routiq-early></routiq-early>';
    const element = document.body.firstElementChild as RoutiqSync;
    Object.assign(element, { organizationId: 'org_7', getToken: () => 'secret' });
    customElements.define('routiq-early', Early);
    await settled();
    expect(options[0]!.organizationId).toBe('org_7');
    expect(await options[0]!.getToken!({ isFresh: false })).toBe('secret');
  });

  it('says what is missing without an organization, and sends no request', async () => {
    const element = await put('<routiq-sync></routiq-sync>');
    expect(clients).toEqual([]);
    expect(textOf(element, '[role=alert]')).toContain('Set organization-id');
  });

  it('does not connect anew for another getToken, and tries again if a token was missing', async () => {
    const element = await put();
    element.getToken = () => 'first';
    await settled();
    expect(clients).toHaveLength(1);
    await show({ connection: 'refused', needsToken: 'Sign in.' });
    element.getToken = () => 'second';
    await settled();
    expect(clients[0]!.asked).toEqual(['retry']);
    expect(await options[0]!.getToken!({ isFresh: true })).toBe('second');
  });
});

describe('what it shows', () => {
  it('shows percentage, step, counts and the steps of a running sync', async () => {
    const element = await put();
    await show({ sync: SYNC });
    expect(textOf(element, '.badge')).toBe('Fetching patients');
    expect(textOf(element, '.percentage')).toBe('42 %');
    expect(textOf(element, '.step-text span')).toBe('1,300 of 2,641 patients');
    expect(textOf(element, 'dd')).toBe('1,300');
    expect(root(element).querySelectorAll('[data-stage=done]')).toHaveLength(3);
    const bar = root(element).querySelector('[role=progressbar]')!;
    expect(bar.getAttribute('aria-valuetext')).toBe('42 percent, step 4 of 8: 1,300 of 2,641 patients');
    expect(root(element).querySelector<HTMLElement>('.fill')!.style.width).toBe('42%');
  });

  it('shows no number of stored patients for a sync that failed, as it stored nothing', async () => {
    const element = await put();
    await show({ sync: COMPLETED });
    expect(textOf(element, '[part=count]:last-child dd')).toBe(String(COMPLETED.activePatientsStored));
    await show({ sync: FAILED });
    expect(textOf(element, '[part=count]:last-child dd')).toBe('–');
  });

  it('offers to try again after a failure that may pass', async () => {
    const element = await put();
    await show({ sync: FAILED });
    expect(textOf(element, '[part=failure]')).toContain('Cliniko could not be reached. Try again in a few minutes.');
    buttonOf(element, 'Try again').click();
    expect(clients[0]!.asked).toEqual(['start AUTO']);
  });

  it('puts the focus on the field for a key after a refused one', async () => {
    const element = await put('<routiq-sync organization-id="org_1" parts="connection"></routiq-sync>');
    await show({
      sync: { ...FAILED, failure: { ...FAILED.failure!, code: 'KEY_REFUSED' } },
      overview: { ...OVERVIEW, connection: { ...OVERVIEW.connection!, state: 'NEEDS_ATTENTION' } },
    });
    buttonOf(element, 'Enter another key').click();
    expect(root(element).activeElement?.id).toBe('key');
  });

  it('has the newest lines of a long log in the document, and more on request', async () => {
    const element = await put();
    await show({ sync: SYNC, log: lines(250) });
    const shown = () => [...root(element).querySelectorAll('.lines li')].map((line) => Number(line.getAttribute('data-seq')));
    expect(shown().slice(0, 1).concat(shown().length)).toEqual([101, 150]); // whole portions are left out
    buttonOf(element, 'Show 100 earlier lines').click();
    expect(shown()[0]).toBe(1);
    const first = root(element).querySelector('.lines li');
    await show({ log: lines(251) });
    expect(root(element).querySelector('.lines li')).toBe(first);
    expect(shown().at(-1)).toBe(251);
    const select = root(element).querySelector('select')!;
    select.value = 'WARNING';
    select.dispatchEvent(new Event('change'));
    await settled();
    expect(shown()).toHaveLength(25);
    expect(textOf(element, '[part=log]')).toContain('226 lines of other levels are hidden.');
  });

  it('shows cleared lines again', async () => {
    const element = await put();
    await show({ sync: SYNC, log: [], clearedLines: 3, droppedLines: 1200 });
    expect(textOf(element, '[part=log]')).toContain('1,200 older lines are left out.');
    buttonOf(element, 'Show cleared lines').click();
    expect(clients[0]!.asked).toEqual(['restore log']);
  });

  it('shows the parts that it is asked for', async () => {
    const element = await put('<routiq-sync organization-id="org_1" parts=""></routiq-sync>');
    await show({ sync: COMPLETED });
    for (const part of ['log', 'history', 'access']) expect(root(element).querySelector(`[part=${part}]`)).toBeNull();
    element.setAttribute('parts', 'history connection');
    await settled();
    expect(clients[0]!.asked).toEqual(['history']);
    expect(root(element).querySelector('[part=log]')).toBeNull();
    expect(textOf(element, '[part=access]')).toContain('Connected to Harbour Street Physio');
  });

  it('links past syncs to the dashboard that it is given', async () => {
    const element = await put('<routiq-sync organization-id="org_1" parts="history" dashboard-url="https://example.com/routiq/?organization=org_1"></routiq-sync>');
    await show({ sync: COMPLETED, history: { syncs: [COMPLETED], totals: null, nextCursor: null, isLoading: false } });
    const link = root(element).querySelector('a')!;
    expect(link.href).toBe('https://example.com/routiq/?organization=org_1&sync=sync_1');
  });

  it('speaks another language and writes numbers as there', async () => {
    const element = await put('<routiq-sync organization-id="org_1" locale="de-DE"></routiq-sync>');
    element.labels = { heading: 'Patientenabgleich', start: 'Starten', FETCHING_PATIENTS: 'Patienten werden gelesen' };
    await show({ sync: SYNC });
    expect(textOf(element, 'h2')).toBe('Patientenabgleich');
    expect(textOf(element, '.badge')).toBe('Patienten werden gelesen');
    expect(textOf(element, 'dd')).toBe('1.300');
    expect(buttonOf(element, 'Starten')).toBeDefined();
    expect(root(element).querySelector('section')!.lang).toBe('de-DE');
  });

  it('says what an action came to, and the same sentence only once', async () => {
    const element = await put();
    const results = new Map([['start', { isError: true, text: 'The server is not reachable.' }]] as const);
    await show({ results });
    expect(root(element).querySelectorAll('[role=alert]')).toHaveLength(1);
    await show({ connection: 'lost', problem: 'The server is not reachable.', results });
    expect(root(element).querySelectorAll('[role=alert]')).toHaveLength(1);
  });
});

describe('events', () => {
  it('notifies the page how a sync that it saw running has ended', async () => {
    const element = await put('<div><routiq-sync organization-id="org_1"></routiq-sync></div>').then((around) => around.firstElementChild as RoutiqSync);
    const heard: unknown[] = [];
    for (const ending of ['completed', 'failed', 'cancelled'] as const) {
      document.body.addEventListener(ending, (event) => heard.push([ending, (event as CustomEvent).detail]));
    }
    await settled();
    clients[0]!.end('completed', COMPLETED);
    clients[0]!.end('failed', FAILED);
    expect(heard).toEqual([['completed', COMPLETED], ['failed', FAILED]]);
    element.remove();
    await settled();
    clients[0]!.end('completed', COMPLETED);
    expect(heard).toHaveLength(2);
  });
});

describe('for keyboards and screen readers', () => {
  it('keeps the focus on a button that can not be used any more', async () => {
    const element = await put();
    await show({ sync: COMPLETED });
    buttonOf(element, 'Start sync').focus();
    await show({ sync: { ...SYNC, syncId: 'sync_2' } });
    expect(root(element).activeElement?.textContent).toBe('Start sync');
    expect(buttonOf(element, 'Start sync').getAttribute('aria-disabled')).toBe('true');
    buttonOf(element, 'Start sync').click();
    expect(clients[0]!.asked).toEqual([]);
  });

  it('moves the focus to the heading when its element goes away', async () => {
    const element = await put();
    await show({ sync: FAILED });
    buttonOf(element, 'Try again').focus();
    await show({ sync: { ...SYNC, syncId: 'sync_2' } });
    expect(root(element).activeElement?.id).toBe('heading');
  });

  it('moves the focus to the heading when the form for a key goes away', async () => {
    const element = await put('<routiq-sync organization-id="org_1" parts="connection"></routiq-sync>');
    await show({ overview: { ...OVERVIEW, connection: null } });
    root(element).querySelector<HTMLInputElement>('#key')!.focus();
    await show({});
    expect(root(element).activeElement?.id).toBe('heading');
  });

  it('announces each change once, and nothing when it is opened', async () => {
    const element = await put();
    const announced = () => textOf(element, '.unseen[role=status]');
    await show({ sync: SYNC });
    expect(announced()).toBe('');
    await show({ sync: { ...SYNC, status: 'STORING', step: 'STORING', currentStepNumber: 8 } });
    expect(announced()).toBe('Step 8 of 8: Storing');
    await show({ sync: { ...COMPLETED } });
    expect(announced()).toBe('Sync completed. Agrees with Cliniko.');
    await show({ connection: 'lost', problem: 'Connection to the server lost.' });
    await show({ problem: null });
    expect(announced()).toBe('Connected to the server again.');
    expect(root(element).querySelectorAll('[aria-live=polite], [role=status]')).toHaveLength(1);
  });

  it('counts seconds while a sync runs, without a new announcement', async () => {
    vi.useFakeTimers({ now: Date.parse('2026-11-26T10:00:20.000Z') });
    document.body.innerHTML = '<routiq-sync organization-id="org_1"></routiq-sync>';
    const element = document.body.firstElementChild as RoutiqSync;
    await settled();
    await show({ sync: SYNC });
    expect(textOf(element, '[part=times]')).toContain('Running for 20 s');
    await vi.advanceTimersByTimeAsync(2000);
    expect(textOf(element, '[part=times]')).toContain('Running for 22 s');
  });
});
