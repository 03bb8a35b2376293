// src/Patients.tsx
import { useMutation, useQuery, useSubscription } from '@apollo/client/react';
import { useState } from 'react';
import { CancelSyncDocument, DashboardDocument, DashboardUpdatedDocument, StartSyncDocument } from './gql/graphql';
import { useOutage } from './useOutage';

export function Patients({ organizationId }: { organizationId: string }) {
  const variables = { organizationId };
  const { data, error } = useQuery(DashboardDocument, { variables });
  const live = useSubscription(DashboardUpdatedDocument, { variables }); // its events update `data`, by way of the cache
  const [refusal, setRefusal] = useState<string>();
  const outage = useOutage();
  const showProblem = (problem: { message: string; whatToDo: string } | null) =>
    setRefusal(problem ? `${problem.message} ${problem.whatToDo}` : undefined);
  const onError = (failed: Error) => setRefusal(failed.message);
  const [startSync, started] = useMutation(StartSyncDocument, {
    onCompleted: ({ startSync: { problem } }) => showProblem(problem),
    onError,
  });
  const [cancelSync, cancelled] = useMutation(CancelSyncDocument, {
    onCompleted: ({ cancelSync: { problem } }) => showProblem(problem),
    onError,
  });
  const problem = error?.message ?? live.error?.message ?? refusal;
  if (!data) return <p role="status">{problem ?? outage ?? 'Loading…'}</p>;
  const { currentSync, patientStats, syncAvailable } = data.dashboard;
  return (
    <section>
      <p>{patientStats.activePatients} of {patientStats.patientsInCliniko} patients are active.</p>
      {currentSync && <p>{currentSync.progressPercentage} %: {currentSync.currentStep}</p>}
      {!syncAvailable && <p>Connect this organization to Cliniko to start a sync.</p>}
      {outage && <p role="status">{outage}</p>}
      {problem && <p role="alert">{problem}</p>}
      <button
        disabled={!!outage || !syncAvailable || !!currentSync || started.loading}
        onClick={() => void startSync({ variables })}
      >
        Start sync
      </button>
      {currentSync && (
        <button
          disabled={!!outage || cancelled.loading}
          onClick={() => void cancelSync({ variables: { syncId: currentSync.id } })}
        >
          Cancel
        </button>
      )}
    </section>
  );
}
