// The receipt of the last sync: whether the stored rows agree with Cliniko by count, and each list that differs.

import type { Sync } from '../useSync';
import { number, timeOrDay } from '../words';

type SyncReceipt = NonNullable<Sync['receipt']>;
type ListReceipt = SyncReceipt['lists'][number];

export function Receipt({ receipt }: { receipt: SyncReceipt | null }) {
  if (!receipt) return null;
  const verdict = verdictOf(receipt);
  const details = detailsOf(receipt);
  return (
    <div className="routiq-receipt" data-verdict={verdict}>
      <p>
        {VERDICT_TEXTS[verdict]}, checked <time dateTime={receipt.checkedAt}>{timeOrDay(receipt.checkedAt)}</time>;{' '}
        {counted(receipt.requests, 'request')}; {changesOf(receipt)}
      </p>
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

type Verdict = 'agrees' | 'differs' | 'not compared';

const VERDICT_TEXTS: Record<Verdict, string> = {
  agrees: 'Agrees with Cliniko',
  differs: 'Does not agree with Cliniko yet',
  'not compared': 'Not compared with Cliniko',
};

function verdictOf({ agrees, lists }: SyncReceipt): Verdict {
  if (!agrees) return 'differs';
  return lists.some((list) => typeof list.agrees === 'boolean') ? 'agrees' : 'not compared';
}

/** `+2, ~5, −1`: rows added, updated and removed. */
function changesOf({ lists }: SyncReceipt): string {
  const sum = (key: 'added' | 'updated' | 'removed') => lists.reduce((total, list) => total + list[key], 0);
  const signs = [['+', sum('added')], ['~', sum('updated')], ['−', sum('removed')]] as const;
  return signs.filter(([, count]) => count > 0).map(([sign, count]) => sign + number(count)).join(', ') || 'no changes';
}

/** The lists that differ, and what the comparison does not cover. */
function detailsOf({ lists }: SyncReceipt): string[] {
  const details = lists.filter(({ agrees }) => agrees === false).map(differenceOf);
  for (const list of lists) if (list.agrees !== false && scopeOf(list)) details.push(`${nameOf(list)}: ${scopeOf(list)}`);
  const unreadable = lists.reduce((total, list) => total + list.unreadable, 0);
  if (unreadable > 0) details.push(`${counted(unreadable, 'row')} of Cliniko can’t be read; the log names the first ones`);
  return details;
}

function differenceOf(list: ListReceipt): string {
  const { inCliniko, inMirror } = list;
  if (typeof inCliniko !== 'number') return `${nameOf(list)}: Cliniko did not count them`;
  if (inCliniko === inMirror) return `${nameOf(list)}: they kept changing during the comparison`;
  const scope = scopeOf(list);
  return `${nameOf(list)}: ${number(inCliniko)} in Cliniko, ${number(inMirror)} stored${scope && ` (${scope})`}`;
}

/** Of attendees, only some classes may have been compared yet. */
function scopeOf({ compared, of }: ListReceipt): string {
  if (typeof compared !== 'number' || typeof of !== 'number' || compared >= of) return '';
  return `compared in ${number(compared)} of ${number(of)} classes`;
}

const nameOf = ({ list }: ListReceipt): string => list.charAt(0).toUpperCase() + list.slice(1).replaceAll('_', ' ');

const counted = (count: number, one: string): string => `${number(count)} ${one}${count === 1 ? '' : 's'}`;
