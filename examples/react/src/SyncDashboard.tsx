'use client';

// The documented component: an organization's sync with its controls, steps, figures and log. All that it knows comes
// from useSync; its colours, font and radius are custom properties, listed in SyncDashboard.css.

import { useEffect, useId, useState } from 'react';

import { Button } from './parts/Button';
import { Failure } from './parts/Failure';
import { Figures } from './parts/Figures';
import { Log } from './parts/Log';
import { NextSync } from './parts/NextSync';
import { Problems } from './parts/Problems';
import { Progress } from './parts/Progress';
import { Receipt } from './parts/Receipt';
import { Steps } from './parts/Steps';
import { type Connection, type SyncOptions, type SyncState, useSync } from './useSync';
import { STATUS_TEXTS, dayAndTime } from './words';

export interface SyncDashboardProps extends SyncOptions {
  title?: string | undefined;
  /** Light or dark; without it, the CSS property `color-scheme` of what is around the component decides. */
  colorScheme?: 'light' | 'dark' | 'light dark' | undefined;
}

const CONNECTION_TEXTS: Record<Connection, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Connection lost',
  unreachable: 'Not reached',
  blocked: 'No access',
  refused: 'Not connected',
};

export default function SyncDashboard({ title = 'Patient sync', colorScheme, ...options }: SyncDashboardProps) {
  const state = useSync(options);
  const { connection, sync, status, isRunning, overview } = state;
  const now = useNow(isRunning || state.retryAt !== null);
  const titleId = useId();
  return (
    <section className="routiq" data-color-scheme={colorScheme} lang="en" dir="ltr" aria-labelledby={titleId}>
      <header className="routiq-head">
        <h2 id={titleId}>{title}</h2>
        {status && (
          <span className="routiq-badge" data-status={status} role="status">
            {STATUS_TEXTS[status]}
          </span>
        )}
        <span className="routiq-connection" data-connection={connection} role="status">
          {CONNECTION_TEXTS[connection]}
        </span>
        <Controls state={state} />
      </header>
      <Problems state={state} now={now} />
      {overview && !overview.syncAvailable && (
        <p className="routiq-hint">
          This organization is not connected to Cliniko yet. Connect it with <code>routiq-gql connect</code>, then start.
        </p>
      )}
      <Progress sync={sync} emptyText={emptyText(state)} now={now} titleId={titleId} />
      <Receipt receipt={sync?.completedAt ? (sync.receipt ?? null) : null} />
      <NextSync overview={overview} isRunning={isRunning} />
      <Steps sync={sync} />
      <Failure sync={sync} overview={overview} />
      <Figures sync={sync} overview={overview} />
      <Log lines={state.log} onClear={state.clearLog} />
      {sync?.completedAt && (
        <footer className="routiq-foot">
          Started {dayAndTime(sync.startedAt)}, {STATUS_TEXTS[sync.status].toLowerCase()} {dayAndTime(sync.completedAt)}
        </footer>
      )}
    </section>
  );
}

function emptyText({ overview, connection }: SyncState): string {
  if (overview) return 'Nothing has been synced yet.';
  return connection === 'connecting' || connection === 'live' ? 'Asking the server…' : 'Nothing is known yet.';
}

function Controls({ state }: { state: SyncState }) {
  const { isRunning, pending, overview } = state;
  const hintId = useId();
  const canStart = !isRunning && pending === null && overview?.syncAvailable !== false;
  return (
    <div className="routiq-controls">
      <Button isDisabled={pending !== null} onPress={() => void state.refresh()}>
        Refresh
      </Button>
      <Button isDisabled={!isRunning || pending !== null} onPress={() => void state.cancel()}>
        {pending === 'cancel' ? 'Cancelling…' : 'Cancel'}
      </Button>
      {overview?.patientStats.lastSyncTime && (
        <>
          <Button isDisabled={!canStart} describedBy={hintId} onPress={() => void state.startFull()}>
            Full sync
          </Button>
          <span id={hintId} className="routiq-unseen">
            Reads everything from Cliniko again. Start sync reads what changed.
          </span>
        </>
      )}
      <Button isMain isDisabled={!canStart} onPress={() => void state.start()}>
        {pending === 'start' ? 'Starting…' : 'Start sync'}
      </Button>
    </div>
  );
}

/** The time in milliseconds, each second while `isTicking`. */
function useNow(isTicking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isTicking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isTicking]);
  return now;
}
