// The two subscriptions of ../resuming.mjs for Relay. A test compiles them, and compares the result with __generated__.

import { graphql } from 'relay-runtime';

export const log = graphql`
  subscription resumingLogSubscription($syncId: ID!, $after: Int) {
    syncLog(syncId: $syncId, after: $after) {
      id
      seq
      message
    }
  }
`;

export const changes = graphql`
  subscription resumingChangesSubscription($organizationId: ID!, $after: String) {
    patientsChanged(organizationId: $organizationId, after: $after) {
      cursor
      name
    }
  }
`;
