// The organization's access to Cliniko: its state, what is wrong with it, and a field for an API key.

import type { SyntheticEvent } from 'react';

import type { Scene } from '../scene';

export function Access({ scene: { state, words, card, keyField } }: { scene: Scene }) {
  const { overview, pending } = state;
  if (!overview) return null;
  const access = overview.connection;
  const isWanted = access?.state !== 'CONNECTED';
  const isChecking = pending.has('connect');
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const field = keyField.current;
    const key = field?.value.trim();
    if (!field || !key || isChecking) return;
    field.value = ''; // a key is not left on the screen
    void state.connectCliniko(key);
  };
  return (
    <div className="routiq-section routiq-access">
      <h3>{card('cliniko')}</h3>
      <p className="routiq-small" data-late={isWanted || undefined}>
        {!isWanted && access.account ? card('connectedTo', { account: access.account }) : words.name(access?.state ?? 'notConnected')}
      </p>
      {access?.problem && (
        <p>
          {access.problem.message} {access.problem.whatToDo}
        </p>
      )}
      <details open={isWanted}>
        <summary>{card(access ? 'replaceKey' : 'addKey')}</summary>
        <form onSubmit={submit}>
          <label>
            {card('apiKey')} <input ref={keyField} type="password" name="key" autoComplete="off" spellCheck={false} required />
          </label>
          <button type="submit" aria-disabled={isChecking}>
            {card(isChecking ? 'checkingKey' : 'connect')}
          </button>
        </form>
      </details>
    </div>
  );
}
