// What stands between this page and the server, and what the last actions came to: what happened, and what to do.

import type { Scene } from '../scene';

export function Problems({ scene, time }: { scene: Scene; time: number }) {
  const { state, card, parts } = scene;
  const { connection, needsToken, overview } = state;
  const problem = needsToken ?? state.problem;
  const results = [...state.results].filter(([, { text }]) => text && text !== problem);
  return (
    <>
      {problem !== null && (
        <div className={connection === 'lost' ? 'routiq-hint' : 'routiq-alert'} data-problem={connection}>
          <span role="alert">{problem}</span> <span>{retryText(scene, time)}</span>
        </div>
      )}
      {results.map(([action, { isError, text }]) => (
        <p key={action} className={isError ? 'routiq-alert' : 'routiq-good'} role={isError ? 'alert' : 'status'}>
          {text}
        </p>
      ))}
      {overview && !overview.syncAvailable && !parts.includes('connection') && (
        <p className="routiq-hint">{card('notConnectedYet')}</p>
      )}
    </>
  );
}

/** The seconds are outside of the alert, so that screen readers don't read out each of them. */
function retryText({ state: { connection, retryAt }, card, words }: Scene, time: number): string {
  if (retryAt === null) return connection === 'refused' ? '' : card('retryNow');
  const left = (retryAt - time) / 1000;
  return left < 1 ? card('retryNow') : card('retryIn', { left: words.duration(left) });
}
