/**
 * A receipt in words: a line, the lists that differ or were not compared, and what else the comparison does not cover.
 *
 * The line says "agrees" only if the receipt does. It names the lists that are left out if it neither agrees nor differs.
 */

import type { Receipt } from '../core/types';
import type { Formats } from './formats';
import type { LabelName, Say } from './labels';

type ListReceipt = Receipt['lists'][number];

/** The colour that goes with a verdict. */
export type VerdictTone = 'green' | 'amber' | 'blue' | 'grey';

export interface ReceiptWords {
  verdict: string;
  tone: VerdictTone;
  line: string;
  differences: string[];
  gaps: string[];
}

const VERDICTS: Record<VerdictTone, LabelName> = {
  green: 'agrees',
  amber: 'differs',
  blue: 'comparedInPart',
  grey: 'notCompared',
};

// A sync compares every list, unless Cliniko refuses: attendees class by class, a few classes in each sync, and the others
// by their counts. It compares practitioners only if the key may read them.
const isUncompared = (list: ListReceipt): boolean => list.agrees === null && list.inCliniko === null;
const isRefused = (list: ListReceipt): boolean => isUncompared(list) && list.list !== 'practitioners';
const isDenied = (list: ListReceipt): boolean => isUncompared(list) && list.list === 'practitioners';
const isPartial = (list: ListReceipt): boolean =>
  list.compared !== null && list.of !== null && list.compared < list.of;
const nameOf = ({ list }: ListReceipt): string =>
  list.charAt(0).toUpperCase() + list.slice(1).replaceAll('_', ' ');

type SumKey = 'added' | 'updated' | 'removed' | 'unreadable';
const sumOf = (receipt: Receipt, key: SumKey): number =>
  receipt.lists.reduce((sum, list) => sum + list[key], 0);

/** Rows added, updated and removed: `+2, ~5, −1`. */
export function changesText(receipt: Receipt, formats: Formats, say: Say): string {
  const signs: [string, SumKey][] = [['+', 'added'], ['~', 'updated'], ['−', 'removed']];
  const parts = signs.flatMap(([sign, key]) => {
    const count = sumOf(receipt, key);
    return count ? [sign + formats.number(count)] : [];
  });
  return parts.join(', ') || say('noChanges');
}

/** `1 request` or `31 requests`. */
export function requestsText(count: number, formats: Formats, say: Say): string {
  return count === 1 ? say('oneRequest') : say('requests', { count: formats.number(count) });
}

/** The receipt of a sync that completed, in words. */
export function receiptWords(receipt: Receipt, formats: Formats, say: Say): ReceiptWords {
  const { agrees, lists } = receipt;
  const tone = agrees ? 'green' : agrees === false ? 'amber' : lists.every(isUncompared) ? 'grey' : 'blue';
  const why = agrees === null ? refusalText(lists.filter(isRefused), formats, say) : '';
  const unreadable = sumOf(receipt, 'unreadable');
  const values = {
    verdict: say(VERDICTS[tone]),
    time: formats.timeOrDay(receipt.checkedAt),
    why,
    requests: requestsText(receipt.requests, formats, say),
    changes: changesText(receipt, formats, say),
  };
  return {
    verdict: say(VERDICTS[tone]) + why,
    tone,
    line: say('receiptLine', values),
    differences: [
      ...lists.filter((list) => list.agrees === false).map((list) => differenceText(list, formats, say)),
      ...(agrees === false ? lists.filter(isRefused).map((list) => gapText(list, say)) : []),
    ],
    gaps: [
      ...lists
        .filter((list) => list.agrees !== false && isPartial(list))
        .map((list) => `${nameOf(list)}: ${partText(list, formats, say)}`),
      ...lists.filter(isDenied).map((list) => gapText(list, say)),
      ...(unreadable ? [unreadable === 1 ? say('oneUnreadable') : say('unreadable', { count: formats.number(unreadable) })] : []),
    ],
  };
}

function partText(list: ListReceipt, formats: Formats, say: Say): string {
  return say('listPart', { compared: formats.number(list.compared ?? 0), of: formats.number(list.of ?? 0) });
}

function differenceText(list: ListReceipt, formats: Formats, say: Say): string {
  if (list.inCliniko === null) return say('listNotCounted', { list: nameOf(list) });
  if (list.inCliniko === list.inMirror) return say('listKeptChanging', { list: nameOf(list) });
  const values = { list: nameOf(list), inCliniko: formats.number(list.inCliniko), stored: formats.number(list.inMirror) };
  return say('listDiffers', values) + (isPartial(list) ? ` (${partText(list, formats, say)})` : '');
}

function gapText(list: ListReceipt, say: Say): string {
  if (isDenied(list)) return say('listDenied', { list: nameOf(list) });
  return say(list.list === 'attendees' ? 'listNotComparedByClass' : 'listNotComparedByCount', { list: nameOf(list) });
}

// “: Cliniko did not count patients, and did not list attendees by class”
function refusalText(lists: readonly ListReceipt[], formats: Formats, say: Say): string {
  const names = lists.filter(({ list }) => list !== 'attendees').map((list) => nameOf(list).toLowerCase());
  const parts = [
    ...(names.length ? [say('didNotCount', { lists: formats.listed(names) })] : []),
    ...(names.length < lists.length ? [say('didNotListAttendees')] : []),
  ];
  return parts.length ? say('clinikoDid', { what: parts.join(say('commaAnd')) }) : '';
}
