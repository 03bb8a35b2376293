// The element's style sheet, adopted by each of its roots: a page with a strict Content-Security-Policy allows that, and
// forbids <style>. It is made for the first element, as a page that imports the script may have none.

import base from './base.css?inline';
import lists from './lists.css?inline';
import narrow from './narrow.css?inline';
import sync from './sync.css?inline';

let sheet: CSSStyleSheet | undefined;

export function styleSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync([base, sync, lists, narrow].join('\n')); // later rules win
  }
  return sheet;
}
