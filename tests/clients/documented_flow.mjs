// The documented "Basic Frontend Integration", word for word, with a recorder in the place of a page.
// Usage: node documented_flow.mjs http://127.0.0.1:8000 ORGANIZATION_ID

const [baseUrl, organization] = process.argv.slice(2);

// A page asks the host that it came from; here the host has to be named.
const fetch = (path, options) => globalThis.fetch(baseUrl + path, options);

const shown = { percentages: [], texts: [], statuses: [] };
const updateProgressBar = (percentage) => shown.percentages.push(percentage);
const updateStatusText = (text) => shown.texts.push(text);
const updateStats = (status) => shown.statuses.push(status.status);

const ended = new Promise((resolve, reject) => {
  globalThis.handleSyncComplete = resolve;
  console.error = (...problem) => reject(problem);
});

// Start a sync and monitor progress
async function runSyncWithFeedback(organizationId) {
  try {
    // Start sync
    const startResponse = await fetch(`/api/v1/sync/start/${organizationId}`, {
      method: 'POST'
    });
    const { sync_id } = await startResponse.json();
    
    // Monitor progress
    const pollStatus = async () => {
      const statusResponse = await fetch(`/api/v1/sync/status/${sync_id}`);
      const status = await statusResponse.json();
      
      // Update UI
      updateProgressBar(status.progress_percentage);
      updateStatusText(status.current_step);
      updateStats(status);
      
      // Continue polling if not complete
      if (!['completed', 'failed'].includes(status.status)) {
        setTimeout(pollStatus, 1000);
      } else {
        handleSyncComplete(status);
      }
    };
    
    pollStatus();
    
  } catch (error) {
    console.error('Sync error:', error);
  }
}

await runSyncWithFeedback(organization);
const last = await ended;
const dashboard = await (await fetch(`/api/v1/sync/dashboard/${organization}`)).json();
console.log(JSON.stringify({ shown, last, dashboard }));
