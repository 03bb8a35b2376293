/* eslint-disable */
import * as types from './graphql';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "fragment Sync on SyncStatus {\n  id\n  syncId\n  status\n  step\n  progressPercentage\n  currentStep\n  currentStepNumber\n  patientsFound\n  appointmentsFound\n  activePatientsIdentified\n  activePatientsStored\n  startedAt\n  completedAt\n  estimatedCompletion\n  resumesAt\n  failure {\n    code\n    message\n    whatToDo\n  }\n  version\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n    patientsWithRecent\n    patientsWithUpcoming\n    lastSyncTime\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int!) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    level\n    step\n    message\n  }\n}\n\nquery DashboardNow($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n  }\n}": typeof types.SyncFragmentDoc,
};
const documents: Documents = {
    "fragment Sync on SyncStatus {\n  id\n  syncId\n  status\n  step\n  progressPercentage\n  currentStep\n  currentStepNumber\n  patientsFound\n  appointmentsFound\n  activePatientsIdentified\n  activePatientsStored\n  startedAt\n  completedAt\n  estimatedCompletion\n  resumesAt\n  failure {\n    code\n    message\n    whatToDo\n  }\n  version\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n    patientsWithRecent\n    patientsWithUpcoming\n    lastSyncTime\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int!) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    level\n    step\n    message\n  }\n}\n\nquery DashboardNow($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n  }\n}": types.SyncFragmentDoc,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "fragment Sync on SyncStatus {\n  id\n  syncId\n  status\n  step\n  progressPercentage\n  currentStep\n  currentStepNumber\n  patientsFound\n  appointmentsFound\n  activePatientsIdentified\n  activePatientsStored\n  startedAt\n  completedAt\n  estimatedCompletion\n  resumesAt\n  failure {\n    code\n    message\n    whatToDo\n  }\n  version\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n    patientsWithRecent\n    patientsWithUpcoming\n    lastSyncTime\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int!) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    level\n    step\n    message\n  }\n}\n\nquery DashboardNow($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n  }\n}"): typeof import('./graphql').SyncFragmentDoc;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
