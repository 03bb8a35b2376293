// Starts GraphiQL on this server, with a few operations to begin with, each in a tab. Whatever is typed instead stays in
// this browser. GraphiQL's own headers go with requests and sockets alike, and are not kept.

import { ask, createFetcher, tokenChanged } from './fetcher.js';
import { NewestSync, joinStoredTabs, noteResult } from './newest_sync.js';
import { newestSyncQuery, operations } from './operations.js';
import * as token from './token.js';

const root = ReactDOM.createRoot(document.getElementById('graphiql'));

// A new fetcher makes GraphiQL ask for the schema again.
function begin() {
  root.render(
    React.createElement(GraphiQL, {
      fetcher: createFetcher(noteResult),
      defaultTabs: operations.map((query) => ({ query: query + '\n' })),
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      toolbar: { additionalComponent: NewestSync },
    }),
  );
  if (newestSyncQuery && !token.isMissing()) ask({ query: newestSyncQuery }).then(noteResult);
}

joinStoredTabs();
token.start(() => {
  begin();
  tokenChanged();
});
begin();
