'use client';

// The documented component: an organization's sync with its controls, steps, figures and log, and its history and access to
// Cliniko if wanted. All that it knows comes from useSync; its colours, font and radius are custom properties, listed in
// SyncDashboard.css.

import { useEffect, useId, useMemo, useRef } from 'react';

import { type Labels, createWords } from '../../client/src/words';
import { type CardLabels, cardFrom } from '../../client/src/words/card';
import { Access } from './parts/Access';
import { Failure } from './parts/Failure';
import { Figures } from './parts/Figures';
import { Head } from './parts/Head';
import { History } from './parts/History';
import { Log } from './parts/Log';
import { Problems } from './parts/Problems';
import { Progress } from './parts/Progress';
import { Receipt } from './parts/Receipt';
import { Steps } from './parts/Steps';
import type { Part, Scene } from './scene';
import { useAnnouncement } from './useAnnouncement';
import { useKeptFocus } from './useKeptFocus';
import { useNow } from './useNow';
import { type SyncOptions, useSync } from './useSync';

export interface SyncDashboardProps extends SyncOptions {
  title?: string | undefined;
  /** Light or dark; without it, the CSS property `color-scheme` of what is around the component decides. */
  colorScheme?: 'light' | 'dark' | 'light dark' | undefined;
  /** The optional parts to show: the log alone unless given. */
  parts?: readonly Part[] | undefined;
  /** Of numbers and times, such as `de-DE`; English unless given. */
  locale?: string | undefined;
  /** Words and sentences in place of the English ones. Sentences of the server stay as they come. */
  labels?: (Labels & CardLabels) | undefined;
  /** The address that shows a past sync, for the links of the history. They open the server's page unless given; null: no links. */
  hrefOfSync?: ((syncId: string) => string) | null | undefined;
}

const TICK_MS = 1000;
const IDLE_TICK_MS = 30_000; // for `4 min ago`
const ALONE: readonly Part[] = ['log'];
const RIGHT_TO_LEFT = /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/;

export default function SyncDashboard(props: SyncDashboardProps) {
  const { title, colorScheme, parts = ALONE, locale, labels, hrefOfSync, ...options } = props;
  const state = useSync(options);
  const { words, card } = useWords(locale, labels);
  const time = useNow(state.isRunning || state.retryAt !== null ? TICK_MS : IDLE_TICK_MS);
  const heading = useRef<HTMLHeadingElement>(null);
  const keyField = useRef<HTMLInputElement>(null);
  const titleId = useId();
  const announcement = useAnnouncement(state, words, card);
  const focusHandlers = useKeptFocus(heading);

  const { connection, history, loadHistory } = state;
  const needsHistory = parts.includes('history') && history === null;
  useEffect(() => {
    if (needsHistory && connection === 'live') void loadHistory();
  }, [needsHistory, connection, loadHistory]);

  const now = time - state.clockOffset;
  const isOutdated = connection !== 'live' && state.asOf > 0;
  const scene: Scene = {
    state,
    words,
    card,
    now,
    asOf: isOutdated ? state.asOf - state.clockOffset : now,
    parts,
    titleId,
    keyField,
    hrefOfSync: hrefOfSync === undefined ? (syncId) => serversPage(options, syncId) : hrefOfSync,
  };
  const language = locale ?? 'en';
  return (
    <section
      className="routiq"
      data-color-scheme={colorScheme}
      lang={language}
      dir={RIGHT_TO_LEFT.test(language) ? 'rtl' : 'ltr'}
      aria-labelledby={titleId}
      {...focusHandlers}
    >
      <Head scene={scene} title={title ?? card('heading')} heading={heading} />
      <Problems scene={scene} time={time} />
      <Progress scene={scene} />
      <Receipt scene={scene} />
      <Steps scene={scene} />
      <Failure scene={scene} />
      <Figures scene={scene} />
      {parts.includes('connection') && <Access scene={scene} />}
      {parts.includes('log') && <Log scene={scene} />}
      {parts.includes('history') && <History scene={scene} />}
      <p className="routiq-unseen" role="status">
        {announcement}
      </p>
    </section>
  );
}

/** The words of a language; made anew only if the language or a word differs, as `labels` may be written where it is used. */
function useWords(locale: string | undefined, labels: SyncDashboardProps['labels']) {
  const written = JSON.stringify(labels ?? {});
  return useMemo(() => {
    const given = JSON.parse(written) as Labels & CardLabels;
    return { words: createWords({ locale, labels: given }), card: cardFrom(given) };
  }, [locale, written]);
}

/** The page that the server shows beside its API, with one sync opened. */
function serversPage({ apiBaseUrl, organizationId }: SyncOptions, syncId: string): string {
  const page = new URL(apiBaseUrl, document.baseURI);
  page.pathname = page.pathname.replace(/api\/v1\/*$/, '');
  page.search = new URLSearchParams({ organization: organizationId, sync: syncId }).toString();
  return page.href;
}
