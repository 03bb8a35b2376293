// Why the newest sync ended without success, what to do, and that the patients stored before are still there.

import { type Scene, canStart } from '../scene';
import { Button } from './Button';

/** The failures after which another key helps; each of the others may pass, or needs what `whatToDo` says. */
const KEY_CODES: readonly string[] = ['CONNECTION_MISSING', 'CONNECTION_DISABLED', 'KEY_REFUSED', 'KEY_LACKS_PERMISSION', 'ACCOUNT_MOVED'];

export function Failure({ scene }: { scene: Scene }) {
  const { state, words, card } = scene;
  const { sync, overview } = state;
  if (!sync?.failure) return null;
  const stored = overview?.patientStats.lastSyncTime;
  return (
    <div className={sync.status === 'CANCELLED' ? 'routiq-hint' : 'routiq-alert'}>
      <strong>{words.withFigures(sync.failure.message)}</strong> {sync.failure.whatToDo}
      {overview && <p className="routiq-stored">{stored ? card('stored', { time: words.dayAndTime(stored) }) : card('nothingStored')}</p>}
      <NextAction scene={scene} code={sync.failure.code} />
    </div>
  );
}

function NextAction({ scene, code }: { scene: Scene; code: string }) {
  const { state, card, parts, keyField } = scene;
  if (code === 'CANCELLED') return null; // by a person, who knows why
  if (KEY_CODES.includes(code)) {
    if (!parts.includes('connection')) return null;
    const focusKey = () => {
      keyField.current?.closest('details')?.setAttribute('open', '');
      keyField.current?.focus();
    };
    return (
      <Button isDisabled={false} onPress={focusKey}>
        {card('enterKey')}
      </Button>
    );
  }
  return (
    <Button isDisabled={!canStart(state)} onPress={() => void state.start()}>
      {card('tryAgain')}
    </Button>
  );
}
