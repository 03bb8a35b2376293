// The custom element <routiq-sync>: an organization's sync in any page, live. It is connected while it is in a document. Its
// shadow root keeps the page's styles outside. The state is the core's, the views are in ./views. It is drawn by lit-html
// alone: Lit's base class would take a tenth of the script's size.

import { render } from 'lit-html';

import { type Client, type ClientOptions, type GetToken, isOver, NOTHING_YET, type StartMode, type SyncEnding, SyncStore, type SyncView } from '../core';
import { createWords, type LabelName, type Words } from '../words';
import { cardFrom, type CardLabelName } from '../words/card';
import { Announcer } from './announcer';
import { ATTRIBUTES, defineProperties, takeEarlyProperties } from './attributes';
import { keepFocus } from './focus';
import type { Actions, LogChoice, Scene } from './scene';
import { styleSheet } from './styles';
import { card } from './views/card';
import { LINES_AT_ONCE } from './views/log';

/** Words and sentences of a page, in place of the English ones. */
export type ElementLabels = Partial<Record<LabelName | CardLabelName, string>>;

const ENDINGS: readonly SyncEnding[] = ['completed', 'failed', 'cancelled'];

/** How often times are written anew: each second of a running sync or a countdown, otherwise for "4 min ago". */
const TICK_MS = 1000;
const IDLE_TICK_MS = 30_000;

// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- defineProperties adds them to the prototype
export interface RoutiqSync {
  organizationId: string | null;
  apiBaseUrl: string | null;
  graphqlUrl: string | null;
  dashboardUrl: string | null;
  heading: string | null;
  locale: string | null;
  parts: string | null;
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging
export class RoutiqSync extends HTMLElement {
  static readonly observedAttributes = Object.values(ATTRIBUTES);

  /** Creates the connection; tests replace it. */
  static createClient: (options: ClientOptions) => Client = (options) => new SyncStore(options);

  private readonly root = this.attachShadow({ mode: 'open' });
  private readonly announcer = new Announcer();
  private view: SyncView = NOTHING_YET;
  private choice: LogChoice = { level: '', most: LINES_AT_ONCE };
  private words: Words = createWords();
  private givenLabels: (ElementLabels) | null = null;
  private givenToken: GetToken | null = null;
  private client: Client | null = null;
  /** What the client is connected to; another value needs another client. */
  private place = '';
  private leave: (() => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isUpdateDue = false;

  constructor() {
    super();
    this.root.adoptedStyleSheets = [styleSheet()];
  }

  /** Words and sentences of the page, in place of the English ones. */
  get labels(): (ElementLabels) | null {
    return this.givenLabels;
  }

  set labels(labels: (ElementLabels) | null | undefined) {
    this.givenLabels = labels ?? null;
    this.updateSoon();
  }

  /** Gives the token for each request and (re)connection. */
  get getToken(): GetToken | null {
    return this.givenToken;
  }

  set getToken(getToken: GetToken | null | undefined) {
    if (getToken === this.givenToken) return;
    this.givenToken = getToken ?? null;
    if (this.view.needsToken !== null) this.client?.retryNow();
  }

  /** Starts a sync; if a sync runs already, that sync is shown. */
  async start(mode: StartMode = 'AUTO'): Promise<void> {
    await this.client?.start(mode);
  }

  /** Ends the running sync. */
  async cancel(): Promise<void> {
    await this.client?.cancel();
  }

  /** Asks the server for everything once more. Not needed while the connection is live. */
  async refresh(): Promise<void> {
    await this.client?.refresh();
  }

  connectedCallback(): void {
    takeEarlyProperties(this, [...Object.keys(ATTRIBUTES), 'labels', 'getToken']);
    this.updateSoon();
  }

  disconnectedCallback(): void {
    this.updateSoon(); // it may be on its way to another place of the document
  }

  attributeChangedCallback(): void {
    this.updateSoon();
  }

  /** Waits for the end of this turn, as a page sets several properties in one. */
  private updateSoon(): void {
    if (this.isUpdateDue) return;
    this.isUpdateDue = true;
    queueMicrotask(() => {
      this.isUpdateDue = false;
      this.update();
    });
  }

  private update(): void {
    if (!this.isConnected) {
      this.disconnect();
      return;
    }
    this.words = createWords({ locale: this.locale ?? undefined, labels: this.givenLabels ?? undefined });
    const place = JSON.stringify([this.organizationId, this.apiBaseUrl, this.graphqlUrl]);
    if (!this.client || place !== this.place) this.connect(place);
    if (this.shownParts().has('history') && !this.view.history) void this.client?.loadHistory();
    this.draw();
  }

  private connect(place: string): void {
    this.disconnect();
    this.place = place;
    this.view = NOTHING_YET;
    this.announcer.reset();
    if (!this.organizationId) return;
    const client = RoutiqSync.createClient({
      organizationId: this.organizationId,
      apiBaseUrl: this.apiBaseUrl ?? '/api/v1',
      graphqlUrl: this.graphqlUrl ?? undefined,
      getToken: (wanted) => this.givenToken?.(wanted),
    });
    this.client = client;
    this.leave = [
      client.subscribe(() => this.take(client.getView())),
      ...ENDINGS.map((ending) =>
        client.on(ending, (sync) => {
          this.dispatchEvent(new CustomEvent(ending, { detail: sync, bubbles: true, composed: true }));
        }),
      ),
    ];
    this.view = client.getView();
  }

  private disconnect(): void {
    clearTimeout(this.timer);
    for (const leave of this.leave.splice(0)) leave();
    this.client = null;
  }

  private take(view: SyncView): void {
    this.announcer.note(this.view, view, this.words, cardFrom(this.givenLabels ?? {}));
    this.view = view;
    this.draw();
  }

  /** Draws the present moment, and again when its times change. */
  private draw(): void {
    clearTimeout(this.timer);
    keepFocus(this.root, () => render(card(this.scene()), this.root));
    const { sync, retryAt } = this.view;
    const isCounting = retryAt !== null || (sync !== null && !isOver(sync));
    this.timer = setTimeout(() => this.draw(), isCounting ? TICK_MS : IDLE_TICK_MS);
  }

  private shownParts(): ReadonlySet<string> {
    return new Set((this.parts ?? 'log').split(/\s+/));
  }

  private scene(): Scene {
    const { view } = this;
    const say = cardFrom(this.givenLabels ?? {});
    const now = Date.now() - view.clockOffset;
    const isOutdated = view.connection !== 'live' && view.asOf > 0;
    return {
      view: this.organizationId ? view : { ...NOTHING_YET, connection: 'refused', problem: say('organizationMissing') },
      words: this.words,
      card: say,
      now,
      asOf: isOutdated ? view.asOf - view.clockOffset : now,
      parts: this.shownParts(),
      heading: this.heading ?? say('heading'),
      language: this.locale ?? 'en',
      dashboardUrl: this.dashboardUrl ?? '',
      log: this.choice,
      announcement: this.announcer.text,
      actions: this.actions,
    };
  }

  private readonly actions: Actions = {
    start: (mode) => void this.start(mode),
    cancel: () => void this.cancel(),
    refresh: () => void this.refresh(),
    clearLog: () => this.client?.clearLog(),
    restoreLog: () => this.client?.restoreLog(),
    chooseLog: (choice) => {
      this.choice = { ...this.choice, ...choice };
      this.draw();
    },
    loadMoreHistory: () => void this.client?.loadMoreHistory(),
    connect: (apiKey) => void this.client?.connectCliniko(apiKey),
    focusKey: () => this.root.querySelector<HTMLInputElement>('#key')?.focus(),
  };
}

defineProperties(RoutiqSync);
