// Past syncs, newest first: when, how each ended, how long it took, and its result. Each is a link to itself.

import { type Sync, isOver } from '../../../client/src/core';
import type { Scene } from '../scene';
import { Button } from './Button';

export function History({ scene }: { scene: Scene }) {
  const { state, card } = scene;
  const { history } = state;
  const past = history?.syncs.filter(isOver) ?? [];
  const isLoading = history?.isLoading ?? true;
  return (
    <div className="routiq-section">
      <h3>{card('history')}</h3>
      {past.length === 0 && <p className="routiq-small">{card(isLoading ? 'loading' : 'noHistory')}</p>}
      <ol className="routiq-past">
        {past.map((sync) => (
          <PastSync key={sync.syncId} scene={scene} sync={sync} />
        ))}
      </ol>
      {history?.nextCursor && (
        <Button isDisabled={isLoading} onPress={() => void state.loadMoreHistory()}>
          {card(isLoading ? 'loading' : 'showMore')}
        </Button>
      )}
    </div>
  );
}

function PastSync({ scene: { words, hrefOfSync }, sync }: { scene: Scene; sync: Sync }) {
  const when = <time dateTime={sync.startedAt}>{words.dayAndTime(sync.startedAt)}</time>;
  const result = sync.failure ? words.withFigures(sync.failure.message) : sync.receipt ? words.receipt(sync.receipt).verdict : '';
  return (
    <li data-sync={sync.syncId}>
      <span>{hrefOfSync ? <a href={hrefOfSync(sync.syncId)}>{when}</a> : when}</span>
      <span>
        <span className="routiq-badge" data-status={sync.status}>
          {words.name(sync.status)}
        </span>
      </span>
      <span>{words.duration(sync.durationSeconds ?? 0)}</span>
      <span>{result}</span>
    </li>
  );
}
