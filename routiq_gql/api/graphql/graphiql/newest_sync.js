// Keeps the id of the newest sync in the tabs that read a sync's log and cancel it.
//
// An id is replaced only if this page put it there; one that was typed stays. The ids that it put there are remembered in
// this browser, as GraphiQL's tabs are.

import { NO_SYNC_YET } from './operations.js';

const REMEMBERED = 'routiq-filled-sync-ids';
const MOST_REMEMBERED = 50;
const PLACE = /(\bsyncId:\s*")([^"\n]*)"/g;

let newest = null;
const listeners = new Set();

function remembered() {
  try {
    const ids = JSON.parse(localStorage.getItem(REMEMBERED));
    return Array.isArray(ids) ? ids : [];
  } catch {
    return [];
  }
}

function remember(id) {
  const ids = [id, ...remembered().filter((each) => each !== id)].slice(0, MOST_REMEMBERED);
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(ids));
  } catch { /* the ids are filled in until the page is closed */ }
}

// Takes the newest sync's id from a result, if it holds one.
export function noteResult(result) {
  const data = result?.data;
  const dashboard = data?.dashboardUpdated ?? data?.dashboard;
  const found = data?.startSync?.syncId ?? dashboard?.currentSync?.syncId ?? dashboard?.lastSync?.syncId;
  if (typeof found !== 'string' || found === newest) return;
  newest = found;
  for (const listener of listeners) listener();
}

// Where `text` has an id of this page's that is not `id`: pairs of start and end.
function outdated(text, id) {
  const ours = new Set([NO_SYNC_YET, ...remembered()]);
  const found = [];
  for (const match of text.matchAll(PLACE)) {
    const start = match.index + match[1].length;
    if (match[2] !== id && ours.has(match[2])) found.unshift([start, start + match[2].length]);
  }
  return found; // the last one first, so that earlier positions stay valid
}

const replaced = (text, id) => outdated(text, id).reduce((now, [start, end]) => now.slice(0, start) + id + now.slice(end), text);

const withoutIds = (text) => (text ?? '').replace(PLACE, '$1"');

const sameText = (one, other) => (one ?? '') === (other ?? '');

// GraphiQL stores the open tab's text, its variables and all tabs separately, each up to half a second late. A reload in
// between adds a tab, because no stored tab has the stored text. Before GraphiQL starts, this makes one tab have it: the
// tab that differs in an id only, else the one that was open. Without a stored text, the stored tab counts.
export function joinStoredTabs() {
  try {
    const query = localStorage.getItem('graphiql:query');
    const variables = localStorage.getItem('graphiql:variables');
    const state = JSON.parse(localStorage.getItem('graphiql:tabState'));
    if (state.tabs.some((tab) => sameText(tab.query, query) && sameText(tab.variables, variables))) return;
    const tab =
      state.tabs.find((each) => sameText(each.query, query)) ??
      state.tabs.find((each) => query && withoutIds(each.query) === withoutIds(query)) ??
      state.tabs[state.activeTabIndex];
    if (query) {
      Object.assign(tab, { query, variables });
      localStorage.setItem('graphiql:tabState', JSON.stringify(state));
    } else {
      localStorage.setItem('graphiql:query', tab.query ?? '');
      localStorage.setItem('graphiql:variables', tab.variables ?? '');
    }
  } catch { /* nothing is stored, or nothing that can be read */ }
}

// A part of GraphiQL's toolbar that shows nothing, so that it may change the tabs.
export function NewestSync() {
  const { tabs, activeTabIndex, queryEditor, updateActiveTabValues } = GraphiQL.React.useEditorContext();
  const id = React.useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => newest,
  );
  React.useEffect(() => {
    if (!id || !queryEditor) return;
    tabs.forEach((tab, index) => {
      if (index === activeTabIndex) {
        for (const [start, end] of outdated(queryEditor.getValue(), id)) {
          queryEditor.replaceRange(id, queryEditor.posFromIndex(start), queryEditor.posFromIndex(end));
        }
      } else if (tab.query) {
        tab.query = replaced(tab.query, id); // GraphiQL has no way to change a tab that is not open
      }
    });
    remember(id);
    updateActiveTabValues({}); // has GraphiQL store its tabs
  }, [id, queryEditor]);
  return null;
}
