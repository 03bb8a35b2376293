// The live log, newest line first, so that news is where people look; filtered by level.

import { useState } from 'react';

import type { LogLevel } from '../gql/graphql';
import type { LogLine } from '../useSync';
import { LEVEL_TEXTS, number, STEP_TEXTS, time, withFigures } from '../words';
import { Button } from './Button';

export function Log({ lines, onClear }: { lines: readonly LogLine[]; onClear: () => void }) {
  const [level, setLevel] = useState<LogLevel | 'ALL'>('ALL');
  const shown = lines.filter((line) => level === 'ALL' || line.level === level).reverse();
  const hidden = lines.length - shown.length;
  return (
    <div className="routiq-log">
      <div className="routiq-log-head">
        <h3>Log</h3>
        <label>
          Level{' '}
          <select value={level} onChange={(event) => setLevel(event.target.value as LogLevel | 'ALL')}>
            <option value="ALL">All</option>
            {Object.entries(LEVEL_TEXTS).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <Button isDisabled={lines.length === 0} onPress={onClear}>
          Clear log
        </Button>
      </div>
      <div className="routiq-lines" role="log" aria-label="Log lines" tabIndex={0}>
        <ol>
          {shown.map((line) => (
            <li key={line.id} data-level={line.level} data-seq={line.seq}>
              <time dateTime={line.time}>{time(line.time)}</time>
              <span className="routiq-level">{LEVEL_TEXTS[line.level]}</span>
              <span className="routiq-message">{withFigures(line.message)}</span>
              <span className="routiq-line-step">{STEP_TEXTS[line.step]}</span>
            </li>
          ))}
          {lines.length === 0 && <li className="routiq-empty">No lines.</li>}
        </ol>
      </div>
      {hidden > 0 && <p className="routiq-hidden">{hidden === 1 ? '1 line of another level is hidden.' : `${number(hidden)} lines of other levels are hidden.`}</p>}
    </div>
  );
}
