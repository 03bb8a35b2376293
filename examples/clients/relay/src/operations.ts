// What a Relay app asks the server for. Compile it in examples/clients, after npm ci:
//   (cd relay && npx relay-compiler)
// relay-compiler adds `id` wherever a type has one, so Relay's store merges each new state into what is on the page.

import { graphql } from 'relay-runtime';

export const progress = graphql`
  fragment operations_progress on SyncStatus {
    status
    progressPercentage
    currentStep
    startedAt
    completedAt
    failure {
      message
      whatToDo
    }
  }
`;

export const dashboard = graphql`
  query operationsDashboardQuery($organizationId: ID!) {
    dashboard(organizationId: $organizationId) {
      syncAvailable
      currentSync {
        ...operations_progress
      }
    }
  }
`;

export const start = graphql`
  mutation operationsStartMutation($organizationId: ID!) {
    startSync(organizationId: $organizationId) {
      sync {
        ...operations_progress
      }
    }
  }
`;

export const watch = graphql`
  subscription operationsWatchSubscription($syncId: ID!) {
    syncProgress(syncId: $syncId) {
      ...operations_progress
    }
  }
`;
