/* eslint-disable */
import * as types from './graphql';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

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
    "fragment Sync on SyncStatus {\n  id\n  status\n  progressPercentage\n  currentStep\n  startedAt\n  completedAt\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n  }\n}\n\nquery Dashboard($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nquery History($organizationId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  historyConnection(\n    organizationId: $organizationId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      cursor\n      node {\n        ...Sync\n      }\n    }\n    pageInfo {\n      startCursor\n      endCursor\n      hasPreviousPage\n      hasNextPage\n    }\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    message\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}": typeof types.SyncFragmentDoc,
};
const documents: Documents = {
    "fragment Sync on SyncStatus {\n  id\n  status\n  progressPercentage\n  currentStep\n  startedAt\n  completedAt\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n  }\n}\n\nquery Dashboard($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nquery History($organizationId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  historyConnection(\n    organizationId: $organizationId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      cursor\n      node {\n        ...Sync\n      }\n    }\n    pageInfo {\n      startCursor\n      endCursor\n      hasPreviousPage\n      hasNextPage\n    }\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    message\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}": types.SyncFragmentDoc,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "fragment Sync on SyncStatus {\n  id\n  status\n  progressPercentage\n  currentStep\n  startedAt\n  completedAt\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n  }\n}\n\nquery Dashboard($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nquery History($organizationId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  historyConnection(\n    organizationId: $organizationId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      cursor\n      node {\n        ...Sync\n      }\n    }\n    pageInfo {\n      startCursor\n      endCursor\n      hasPreviousPage\n      hasNextPage\n    }\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    message\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}"): (typeof documents)["fragment Sync on SyncStatus {\n  id\n  status\n  progressPercentage\n  currentStep\n  startedAt\n  completedAt\n}\n\nfragment Overview on Dashboard {\n  id\n  syncAvailable\n  currentSync {\n    ...Sync\n  }\n  lastSync {\n    ...Sync\n  }\n  patientStats {\n    activePatients\n    patientsInCliniko\n  }\n}\n\nquery Dashboard($organizationId: ID!) {\n  dashboard(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nsubscription DashboardUpdated($organizationId: ID!) {\n  dashboardUpdated(organizationId: $organizationId) {\n    ...Overview\n  }\n}\n\nquery History($organizationId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  historyConnection(\n    organizationId: $organizationId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      cursor\n      node {\n        ...Sync\n      }\n    }\n    pageInfo {\n      startCursor\n      endCursor\n      hasPreviousPage\n      hasNextPage\n    }\n  }\n}\n\nsubscription SyncLog($syncId: ID!, $after: Int) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    time\n    message\n  }\n}\n\nmutation StartSync($organizationId: ID!) {\n  startSync(organizationId: $organizationId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}\n\nmutation CancelSync($syncId: ID!) {\n  cancelSync(syncId: $syncId) {\n    sync {\n      ...Sync\n    }\n    problem {\n      message\n      whatToDo\n    }\n  }\n}"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;