// Starts GraphiQL on this server, with a few operations to begin with, each in a tab. Whatever is typed instead stays in
// this browser. Headers, such as Authorization, go with requests and sockets alike, and are not kept.
'use strict';

const organizationId = document.querySelector('meta[name=routiq-organization]').content || 'your_organization';
const organization = `organizationId: ${JSON.stringify(organizationId)}`;
const sync = 'syncId: "the syncId that another tab shows"';
const endpoint = location.origin + location.pathname;

const operations = [
  `# The organization now: a running sync, the last one, and its patients.
query Dashboard {
  dashboard(${organization}) {
    id
    status
    syncAvailable
    currentSync { id syncId status progressPercentage currentStep }
    lastSync { id syncId status completedAt failure { message whatToDo } }
    patientStats { activePatients patientsInCliniko patientsWithRecent patientsWithUpcoming lastSyncTime }
  }
}`,
  `# Start a sync; if one is running already, that one is the answer. The next tabs show what it does.
mutation StartSync {
  startSync(${organization}) { message created syncId status }
}`,
  `# Live: now, then after every change, whoever started the sync. The stop button ends it.
subscription Watch {
  dashboardUpdated(${organization}) {
    id
    status
    currentSync { id syncId progressPercentage currentStep patientsFound appointmentsFound resumesAt version }
    patientStats { activePatients patientsInCliniko lastSyncTime }
  }
}`,
  `# A sync's log, live: every line once and in order. After a break, pass the last seq as "after".
subscription Log {
  syncLog(${sync}, after: 0) { id seq time level step message }
}`,
  `# End a running sync. One that has ended stays as it is.
mutation CancelSync {
  cancelSync(${sync}) { message status }
}`,
  `# What was synced so far, newest first. For the next page, pass nextCursor as "after".
query History {
  history(${organization}, limit: 10) {
    totalSyncs successfulSyncs failedSyncs cancelledSyncs averageSyncDurationSeconds
    recentSyncs { id syncId status startedAt durationSeconds activePatientsStored }
    nextCursor
  }
}`,
];

const fetcher = GraphiQL.createFetcher({ url: endpoint, subscriptionUrl: endpoint.replace(/^http/, 'ws') });

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultTabs: operations.map((query) => ({ query: query + '\n' })),
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
  }),
);
