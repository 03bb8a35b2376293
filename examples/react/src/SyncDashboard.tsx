// The documented component: an organization's sync with its controls, steps, figures and log. All that it knows comes
// from useSync; its colours and radius are custom properties in SyncDashboard.css.

import { useEffect, useId, useState } from 'react';

import { Figures } from './parts/Figures';
import { Log } from './parts/Log';
import { Progress } from './parts/Progress';
import { Steps } from './parts/Steps';
import './SyncDashboard.css';
import { type Connection, type SyncOptions, type SyncState, useSync } from './useSync';
import { STATUS_TEXTS, dayAndTime } from './words';

export interface SyncDashboardProps extends SyncOptions {
  title?: string;
}

const CONNECTION_TEXTS: Record<Connection, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Connection lost, trying again…',
  refused: 'Not connected',
};

export default function SyncDashboard({ title = 'Patient sync', ...options }: SyncDashboardProps) {
  const state = useSync(options);
  const { connection, sync, status, isRunning, overview } = state;
  const now = useNow(isRunning);
  const titleId = useId();
  return (
    <section className="routiq" aria-labelledby={titleId}>
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
      {state.error && (
        <p className="routiq-alert" role="alert">
          {state.error}
        </p>
      )}
      {overview && !overview.syncAvailable && (
        <p className="routiq-hint">
          This organization is not connected to Cliniko yet. Connect it with <code>routiq-gql connect</code>, then start.
        </p>
      )}
      <Progress sync={sync} isKnown={overview !== null} now={now} titleId={titleId} />
      <Steps sync={sync} />
      {sync?.failure && (
        <div className={sync.status === 'CANCELLED' ? 'routiq-hint' : 'routiq-alert'}>
          <strong>{sync.failure.message}</strong> {sync.failure.whatToDo}
        </div>
      )}
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

function Controls({ state }: { state: SyncState }) {
  const { isRunning, pending, overview } = state;
  return (
    <div className="routiq-controls">
      <button type="button" onClick={() => void state.refresh()} disabled={pending !== null}>
        Refresh
      </button>
      <button type="button" onClick={() => void state.cancel()} disabled={!isRunning || pending !== null}>
        {pending === 'cancel' ? 'Cancelling…' : 'Cancel'}
      </button>
      <button
        type="button"
        className="routiq-main"
        onClick={() => void state.start()}
        disabled={isRunning || pending !== null || overview?.syncAvailable === false}
      >
        {pending === 'start' ? 'Starting…' : 'Start sync'}
      </button>
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
