// The prepared operations, one for each tab.

const organizationId = document.querySelector('meta[name=routiq-organization]').content;
const organization = `organizationId: ${JSON.stringify(organizationId || 'your_organization')}`;

// Stands where the id of the newest sync belongs, until one is known.
export const NO_SYNC_YET = 'the syncId that another tab shows';
const sync = `syncId: "${NO_SYNC_YET}"`;
const aboutSync = '# syncId is filled in: the newest sync. Type another, and it stays.';

export const operations = [
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
  `# Live: now, then after every change, no matter which client started the sync. The stop button ends it.
subscription Watch {
  dashboardUpdated(${organization}) {
    id
    status
    currentSync { id syncId progressPercentage currentStep patientsFound appointmentsFound resumesAt version }
    patientStats { activePatients patientsInCliniko lastSyncTime }
  }
}`,
  `# A sync's log, live: every line once and in order, of which this editor shows the newest.
# After a break, pass the last seq as "after".
${aboutSync}
subscription Log {
  syncLog(
    ${sync}
    after: 0
  ) { id seq time level step message }
}`,
  `# End a running sync. One that has ended stays as it is.
${aboutSync}
mutation CancelSync {
  cancelSync(
    ${sync}
  ) { message status }
}`,
  `# What was synced so far, newest first. For the next page, pass nextCursor as "after".
query History {
  history(${organization}, limit: 10) {
    totalSyncs successfulSyncs failedSyncs cancelledSyncs averageSyncDurationSeconds
    recentSyncs { id syncId status startedAt durationSeconds activePatientsStored }
    nextCursor
  }
}`,
  `# Who is an active patient, and why. Other lists: MISSED_NOT_REBOOKED, LAPSED, ALL, ...
query Patients {
  patients(${organization}, list: ACTIVE, first: 10) {
    totalCount
    nodes { id name why { sentence changesAt } nextAppointment { startsAt } }
    pageInfo { hasNextPage endCursor }
  }
}`,
  `# Addresses of other systems that receive this organization's events, and what was sent to them. To add one:
# mutation { registerWebhook(${organization}, url: "https://example.com/hooks", events: [SYNC_COMPLETED]) {
#   secret problem { message whatToDo } webhook { id } } }
query Webhooks {
  webhooks(${organization}) {
    id url events isDisabled failingSince pendingCount
    deliveries(first: 5) { nodes { id event state lastError } }
  }
}`,
];

// Asks for the newest sync; null while the server has named no organization.
export const newestSyncQuery = organizationId
  ? `query NewestSync { dashboard(${organization}) { id currentSync { id syncId } lastSync { id syncId } } }`
  : null;
