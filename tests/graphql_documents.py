"""GraphQL operations that several tests send."""

RECEIPT_FIELDS = """
  agrees checkedAt requests waitedSeconds
  lists { list inCliniko inMirror agrees read added updated removed unreadable suppressed requests compared of
    oldestCheck }
  unreadableRows { list id reason }
"""

STATUS_FIELDS = f"""
  id organizationId syncId mode status step progressPercentage currentStep totalSteps currentStepNumber patientsFound
  appointmentsFound activePatientsIdentified activePatientsStored startedAt completedAt estimatedCompletion
  estimatedCompletionRange {{ earliest latest }} resumesAt waitingFor
  errors failure {{ code step message whatToDo retryable }} lastUpdated version receipt {{ {RECEIPT_FIELDS} }}
  steps {{ step startedAt endedAt waitedSeconds }} startedBy {{ kind name }} cancelledBy {{ kind name }}
  changes {{ patients added changed vanished becameActive becameInactive }}
"""

STATUS = f"query ($id: ID!) {{ syncStatus(syncId: $id) {{ {STATUS_FIELDS} }} }}"
START = f"mutation ($id: ID!) {{ startSync(organizationId: $id) {{ message created sync {{ {STATUS_FIELDS} }} }} }}"
CANCEL = "mutation ($id: ID!) { cancelSync(syncId: $id) { message syncId status sync { id status failure { code } } } }"
DASHBOARD = f"""query ($id: ID!) {{ dashboard(organizationId: $id) {{
  id organizationId status currentSync {{ {STATUS_FIELDS} }} lastSync {{ {STATUS_FIELDS} }} syncAvailable
  lastSuccessfulSync {{ id }} patientStats {{
    totalPatients activePatients patientsWithUpcoming patientsWithRecent patientsInCliniko lastSyncTime }}
  nextSync {{ mode requests seconds }} freshness {{ checkedAt freshUntil }}
}} }}"""
HISTORY = f"""query ($id: ID!, $limit: Int! = 10, $after: String) {{
  history(organizationId: $id, limit: $limit, after: $after) {{
    organizationId totalSyncs successfulSyncs failedSyncs cancelledSyncs lastSyncAt lastSuccessfulSyncAt
    averageSyncDurationSeconds recentSyncs {{ {STATUS_FIELDS} }} nextCursor }}
}}"""
PROGRESS = f"subscription ($id: ID!) {{ syncProgress(syncId: $id) {{ {STATUS_FIELDS} }} }}"
LOG = "subscription ($id: ID!, $after: Int) { syncLog(syncId: $id, after: $after) { id seq time level step message } }"
UPDATES = """subscription ($id: ID!) { dashboardUpdated(organizationId: $id) {
  id status currentSync { id version status } lastSync { id status } patientStats { activePatients } } }"""
