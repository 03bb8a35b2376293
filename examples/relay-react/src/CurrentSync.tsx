// src/CurrentSync.tsx
import { useState } from 'react';
import { graphql, useFragment, useMutation } from 'react-relay';
import type { CurrentSyncCancelMutation } from './__generated__/CurrentSyncCancelMutation.graphql';
import type { CurrentSyncStartMutation } from './__generated__/CurrentSyncStartMutation.graphql';
import type { CurrentSync_dashboard$key } from './__generated__/CurrentSync_dashboard.graphql';
import { historyOf } from './History';
import { useOutage } from './useOutage';

type Problem = { readonly message: string; readonly whatToDo?: string } | null | undefined;

export function CurrentSync(props: { organizationId: string; dashboard: CurrentSync_dashboard$key }) {
  const { currentSync, syncAvailable } = useFragment(
    graphql`
      fragment CurrentSync_dashboard on Dashboard {
        syncAvailable
        currentSync {
          id
          progressPercentage
          currentStep
        }
      }
    `,
    props.dashboard,
  );
  const [start, isStarting] = useMutation<CurrentSyncStartMutation>(graphql`
    mutation CurrentSyncStartMutation($organizationId: ID!, $connections: [ID!]!) {
      startSync(organizationId: $organizationId) {
        problem {
          message
          whatToDo
        }
        sync @prependNode(connections: $connections, edgeTypeName: "SyncEdge") {
          ...History_sync
        }
      }
    }
  `);
  const [cancel, isCancelling] = useMutation<CurrentSyncCancelMutation>(graphql`
    mutation CurrentSyncCancelMutation($syncId: ID!) {
      cancelSync(syncId: $syncId) {
        problem {
          message
          whatToDo
        }
        sync {
          ...History_sync
        }
      }
    }
  `);
  const outage = useOutage();
  const [problem, setProblem] = useState<Problem>(null);
  const { organizationId } = props;

  function onStart() {
    start({
      variables: { organizationId, connections: [historyOf(organizationId)] },
      onCompleted: ({ startSync }) => setProblem(startSync.problem),
      onError: setProblem,
    });
  }

  function onCancel(syncId: string) {
    cancel({
      variables: { syncId },
      onCompleted: ({ cancelSync }) => setProblem(cancelSync.problem),
      onError: setProblem,
    });
  }

  return (
    <section aria-label="Current sync">
      {currentSync && <p>{currentSync.progressPercentage} %: {currentSync.currentStep}</p>}
      {!syncAvailable && <p>Connect this organization to Cliniko to start a sync.</p>}
      {outage && <p role="status">{outage}</p>}
      {problem && <p role="alert">{problem.message} {problem.whatToDo}</p>}
      <button disabled={!!outage || isStarting || !syncAvailable || !!currentSync} onClick={onStart}>Start sync</button>
      {currentSync && (
        <button disabled={!!outage || isCancelling} onClick={() => onCancel(currentSync.id)}>Cancel</button>
      )}
    </section>
  );
}
