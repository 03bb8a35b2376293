// The live log, newest line first, so that news is where people look; filtered by level. Only the newest lines are in the
// document, and more on request, so that a log of thousands of lines costs no more than a short one.

import { useState } from 'react';

import { LEVELS } from '../../../client/src/core';
import type { Scene } from '../scene';
import { Button } from './Button';

const LINES_AT_ONCE = 100;

export function Log({ scene: { state, words, card } }: { scene: Scene }) {
  const [level, setLevel] = useState('');
  const [most, setMost] = useState(LINES_AT_ONCE);
  const wanted = level ? state.log.filter((line) => line.level === level) : state.log;
  const shown = wanted.slice(-most).reverse();
  const hidden = state.log.length - wanted.length;
  const earlier = Math.min(wanted.length - shown.length, LINES_AT_ONCE);
  const choose = (chosen: string) => {
    setLevel(chosen);
    setMost(LINES_AT_ONCE);
  };
  return (
    <div className="routiq-log">
      <div className="routiq-log-head">
        <h3>{card('log')}</h3>
        <label>
          {card('level')}{' '}
          <select value={level} onChange={(event) => choose(event.target.value)}>
            <option value="">{card('allLevels')}</option>
            {LEVELS.map((one) => (
              <option key={one} value={one}>
                {words.name(one)}
              </option>
            ))}
          </select>
        </label>
        <Button isDisabled={state.log.length === 0} onPress={state.clearLog}>
          {card('clearLog')}
        </Button>
      </div>
      <div className="routiq-lines" role="log" aria-live="off" aria-label={card('logLines')} tabIndex={0}>
        <ol>
          {shown.map((line) => (
            <li key={line.seq} data-level={line.level} data-seq={line.seq}>
              <time dateTime={line.time}>{words.clockTime(line.time)}</time>
              <span className="routiq-level">{words.name(line.level)}</span>
              <span className="routiq-message">{words.withFigures(line.message)}</span>
              <span className="routiq-line-step">{words.name(line.step)}</span>
            </li>
          ))}
          {state.log.length === 0 && <li className="routiq-empty">{card('noLines')}</li>}
        </ol>
      </div>
      {earlier > 0 && (
        <Button isDisabled={false} onPress={() => setMost(most + LINES_AT_ONCE)}>
          {card('showEarlier', { count: words.number(earlier) })}
        </Button>
      )}
      {hidden > 0 && <p className="routiq-hidden">{hidden === 1 ? card('oneHidden') : card('hidden', { count: words.number(hidden) })}</p>}
    </div>
  );
}
