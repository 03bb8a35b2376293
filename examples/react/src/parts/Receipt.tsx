// The receipt of the last sync: whether the stored rows agree with Cliniko by count, and each list that differs or was not
// compared.

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
        {VERDICT_TEXTS[verdict]}, checked <time dateTime={receipt.checkedAt}>{timeOrDay(receipt.checkedAt)}</time>
        {refusalOf(receipt)}; {counted(receipt.requests, 'request')}; {changesOf(receipt)}
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

type Verdict = 'agrees' | 'differs' | 'compared in part' | 'not compared';

const VERDICT_TEXTS: Record<Verdict, string> = {
  agrees: 'Agrees with Cliniko',
  differs: 'Does not agree with Cliniko yet',
  'compared in part': 'Compared in part with Cliniko',
  'not compared': 'Not compared with Cliniko',
};

function verdictOf({ agrees, lists }: SyncReceipt): Verdict {
  if (agrees) return 'agrees';
  if (agrees === false) return 'differs';
  return lists.every(isUncompared) ? 'not compared' : 'compared in part';
}

const isUncompared = ({ agrees, inCliniko }: ListReceipt): boolean => typeof agrees !== 'boolean' && typeof inCliniko !== 'number';

/** A sync compares every list, unless Cliniko refuses; of practitioners only if the key may read them. */
const isRefused = (list: ListReceipt): boolean => isUncompared(list) && list.list !== 'practitioners';
const isDenied = (list: ListReceipt): boolean => isUncompared(list) && list.list === 'practitioners';

/** `: Cliniko did not count patients, and did not list attendees by class`, if that is why the receipt does not say more. */
function refusalOf({ agrees, lists }: SyncReceipt): string {
  if (typeof agrees === 'boolean') return '';
  const refused = lists.filter(isRefused);
  const names = refused.filter(({ list }) => list !== 'attendees').map((list) => nameOf(list).toLowerCase());
  const parts: string[] = [];
  if (names.length > 0) parts.push(`did not count ${names.join(', ').replace(/, (?=[^,]*$)/, ' and ')}`);
  if (names.length < refused.length) parts.push('did not list attendees by class');
  return parts.length > 0 ? `: Cliniko ${parts.join(', and ')}` : '';
}

function gapOf(list: ListReceipt): string {
  if (isDenied(list)) return `${nameOf(list)}: not compared, as the key may not read them`;
  const request = list.list === 'attendees' ? 'list them by class' : 'count them';
  return `${nameOf(list)}: not compared, as Cliniko did not ${request}`;
}

/** `+2, ~5, −1`: rows added, updated and removed. */
function changesOf({ lists }: SyncReceipt): string {
  const sum = (key: 'added' | 'updated' | 'removed') => lists.reduce((total, list) => total + list[key], 0);
  const signs = [['+', sum('added')], ['~', sum('updated')], ['−', sum('removed')]] as const;
  return signs.filter(([, count]) => count > 0).map(([sign, count]) => sign + number(count)).join(', ') || 'no changes';
}

/** The lists that differ, and what the comparison does not cover and the line does not say. */
function detailsOf({ agrees, lists }: SyncReceipt): string[] {
  const details = lists.filter((list) => list.agrees === false).map(differenceOf);
  if (agrees === false) details.push(...lists.filter(isRefused).map(gapOf));
  for (const list of lists) if (list.agrees !== false && scopeOf(list)) details.push(`${nameOf(list)}: ${scopeOf(list)}`);
  details.push(...lists.filter(isDenied).map(gapOf));
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
