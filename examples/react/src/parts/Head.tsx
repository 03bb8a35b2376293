// The heading with the status, the connection to the server, and the buttons.

import type { RefObject } from 'react';

import { type Scene, canStart } from '../scene';
import { Button } from './Button';

interface Props {
  scene: Scene;
  title: string;
  heading: RefObject<HTMLHeadingElement | null>;
}

export function Head({ scene, title, heading }: Props) {
  const { state, words, titleId } = scene;
  const { status, connection, transport } = state;
  return (
    <header className="routiq-head">
      <h2 id={titleId} ref={heading} tabIndex={-1}>
        {title}
      </h2>
      {status && (
        <span className="routiq-badge" data-status={status}>
          {words.name(status)}
        </span>
      )}
      <span className="routiq-connection" data-connection={connection}>
        {connection === 'live' ? words.say('live', { transport: words.name(transport ?? '') }) : words.say(connection)}
      </span>
      <Controls scene={scene} />
    </header>
  );
}

function Controls({ scene: { state, card, titleId } }: { scene: Scene }) {
  const { isRunning, pending, overview } = state;
  const hintId = `${titleId}-full`;
  const isCancelling = pending.has('cancel');
  return (
    <div className="routiq-controls">
      <Button isDisabled={pending.has('refresh')} onPress={() => void state.refresh()}>
        {card('refresh')}
      </Button>
      <Button isDisabled={!isRunning || isCancelling} onPress={() => void state.cancel()}>
        {card(isCancelling ? 'cancelling' : 'cancel')}
      </Button>
      {overview?.patientStats.lastSyncTime && (
        <>
          <Button isDisabled={!canStart(state)} describedBy={hintId} onPress={() => void state.startFull()}>
            {card('startFull')}
          </Button>
          <span id={hintId} className="routiq-unseen">
            {card('startFullHint')}
          </span>
        </>
      )}
      <Button isMain isDisabled={!canStart(state)} onPress={() => void state.start()}>
        {card(pending.has('start') ? 'starting' : 'start')}
      </Button>
    </div>
  );
}
