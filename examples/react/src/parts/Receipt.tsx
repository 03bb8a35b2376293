// The receipt of the last sync: whether the stored rows agree with Cliniko by count, and each list that differs or was not
// compared.

import type { VerdictTone } from '../../../client/src/words';
import type { Scene } from '../scene';

const VERDICTS: Record<VerdictTone, string> = { green: 'agrees', amber: 'differs', blue: 'compared in part', grey: 'not compared' };

export function Receipt({ scene: { state, words } }: { scene: Scene }) {
  const { sync } = state;
  if (!sync?.completedAt || !sync.receipt) return null;
  const { tone, line, differences, gaps } = words.receipt(sync.receipt);
  const details = [...differences, ...gaps];
  return (
    <div className="routiq-receipt" data-verdict={VERDICTS[tone]}>
      <p>{line}</p>
      {details.length > 0 && (
        <ul>
          {details.map((detail) => (
            <li key={detail}>{detail}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
