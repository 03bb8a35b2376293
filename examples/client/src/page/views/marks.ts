/** Marks what was searched for within a text. */

import { element } from '../dom';

/** Marks each occurrence of `query`, in any case. The text stays the same. */
export function mark(target: HTMLElement, query: string): void {
  if (!query) return;
  const text = target.textContent;
  const [inside, wanted] = [text.toLowerCase(), query.toLowerCase()];
  if (inside.length !== text.length) return; // a letter whose small form is longer, so that places differ
  const parts: (Node | string)[] = [];
  let from = 0;
  for (let at = inside.indexOf(wanted); at >= 0; at = inside.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), element('mark', { textContent: text.slice(at, at + wanted.length) }));
    from = at + wanted.length;
  }
  if (parts.length) target.replaceChildren(...parts, text.slice(from));
}
