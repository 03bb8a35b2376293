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
  nextSync {{ mode requests seconds }} freshness {{ checkedAt freshUntil mode requestsPerMinute lookIntervalSeconds }}
}} }}"""
HISTORY = f"""query ($id: ID!, $limit: Int! = 10, $after: String) {{
  history(organizationId: $id, limit: $limit, after: $after) {{
    organizationId totalSyncs successfulSyncs failedSyncs cancelledSyncs lastSyncAt lastSuccessfulSyncAt
    averageSyncDurationSeconds recentSyncs {{ {STATUS_FIELDS} }} nextCursor
    liveUpdates {{ afterSyncId count firstAt lastAt patientChanges }} }}
}}"""
PROGRESS = f"subscription ($id: ID!) {{ syncProgress(syncId: $id) {{ {STATUS_FIELDS} }} }}"
LOG = "subscription ($id: ID!, $after: Int) { syncLog(syncId: $id, after: $after) { id seq time level step message } }"
UPDATES = """subscription ($id: ID!) { dashboardUpdated(organizationId: $id) {
  id status currentSync { id version status } lastSync { id status } patientStats { activePatients } } }"""

WEBHOOK_FIELDS = """
  id organizationId url events includesNames description createdAt isDisabled disabledAt disabledReason failingSince
  nextAttemptAt earlierSecretUntil pendingCount
"""
DELIVERY_FIELDS = """
  id webhookId eventId event subject occurredAt state attempts lastAttemptAt lastStatus lastError deliveredAt
  attemptLog { at status error durationSeconds }
"""
_OF_WEBHOOK = "($id: ID!, $webhook: ID!)"
_WEBHOOK = "(organizationId: $id, webhookId: $webhook)"
_PROBLEM = "problem { code message whatToDo retryable }"
WEBHOOKS = f"query ($id: ID!) {{ webhooks(organizationId: $id) {{ {WEBHOOK_FIELDS} }} }}"
FAILING_WEBHOOKS = f"query ($id: ID!) {{ failingWebhooks(organizationId: $id) {{ {WEBHOOK_FIELDS} }} }}"
WEBHOOK = f"query {_OF_WEBHOOK} {{ webhook{_WEBHOOK} {{ {WEBHOOK_FIELDS} }} }}"
DELIVERIES = f"""query ($id: ID!, $webhook: ID!, $state: WebhookDeliveryState, $first: Int, $after: String) {{
  webhook{_WEBHOOK} {{ id deliveries(state: $state, first: $first, after: $after) {{
    edges {{ cursor node {{ id }} }} nodes {{ {DELIVERY_FIELDS} }}
    pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }} }}"""
REGISTER_WEBHOOK = f"""mutation ($id: ID!, $url: String!, $events: [WebhookEvent!]!, $names: Boolean! = false) {{
  registerWebhook(organizationId: $id, url: $url, events: $events, includesNames: $names) {{
    message organizationId secret {_PROBLEM} webhook {{ {WEBHOOK_FIELDS} }} }} }}"""
CHANGE_WEBHOOK = f"""mutation (
  $id: ID!, $webhook: ID!, $url: String, $events: [WebhookEvent!], $names: Boolean, $note: String, $enabled: Boolean
) {{ changeWebhook(organizationId: $id, webhookId: $webhook, url: $url, events: $events, includesNames: $names,
  description: $note, isEnabled: $enabled) {{ message webhook {{ {WEBHOOK_FIELDS} }} }} }}"""
ROTATE_WEBHOOK = f"""mutation {_OF_WEBHOOK} {{ rotateWebhookSecret{_WEBHOOK} {{
  message secret webhook {{ {WEBHOOK_FIELDS} }} }} }}"""
REMOVE_WEBHOOK = f"mutation {_OF_WEBHOOK} {{ removeWebhook{_WEBHOOK} {{ message organizationId webhookId }} }}"
TEST_WEBHOOK = f"""mutation {_OF_WEBHOOK} {{ testWebhook{_WEBHOOK} {{
  message {_PROBLEM} delivery {{ {DELIVERY_FIELDS} }} }} }}"""
REPEAT_DELIVERY = f"""mutation ($id: ID!, $delivery: ID!) {{
  repeatWebhookDelivery(organizationId: $id, deliveryId: $delivery) {{
    message {_PROBLEM} delivery {{ {DELIVERY_FIELDS} }} }} }}"""
