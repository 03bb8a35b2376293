// Starts a sync over REST and follows it with EventSource, which every browser has.
// Usage: node event-source.mjs [http://localhost:8000] [ORGANIZATION_ID]

import { EventSource } from 'eventsource'; // leave this line out in a browser

const [server = 'http://localhost:8000', organizationId = 'org_2xwHiNrj68eaRUlX10anlXGvzX7'] = process.argv.slice(2);
const api = `${server}/api/v1/sync`;

const answer = await (await fetch(`${api}/start/${organizationId}`, { method: 'POST' })).json();
if (!answer.sync_id) throw new Error(answer.detail);

// Reconnecting: EventSource does it by itself, three seconds after the line was lost, and says with Last-Event-ID what it
// has seen last: the server goes on from there, so no log line is lost or repeated. Close it at the end of the sync.
const source = new EventSource(`${api}/stream/${answer.sync_id}`);

source.onerror = () => {
  if (source.readyState === EventSource.CONNECTING) console.log('The line is lost, trying again…');
};
source.addEventListener('log', ({ data }) => {
  const line = JSON.parse(data);
  console.log(`${line.time} ${line.level} ${line.message}`);
});
source.onmessage = ({ data }) => {
  const sync = JSON.parse(data);
  console.log(`${sync.progress_percentage} % ${sync.current_step}`);
  if (['completed', 'failed'].includes(sync.status)) {
    source.close();
    console.log('The sync has ended.');
  }
};
