// src/Patients.tsx
import { useState } from 'react';
import { type CombinedError, useMutation, useQuery, useSubscription } from 'urql';
import { CancelSyncDocument, DashboardDocument, DashboardUpdatedDocument, StartSyncDocument } from './gql/graphql';
import { useOutage } from './useOutage';

type Problem = { message: string; whatToDo: string } | null;

export function Patients({ organizationId }: { organizationId: string }) {
  const variables = { organizationId };
  const [{ data, error }] = useQuery({ query: DashboardDocument, variables });
  const [live] = useSubscription({ query: DashboardUpdatedDocument, variables }); // updates `data`, by way of the cache
  const [started, startSync] = useMutation(StartSyncDocument);
  const [cancelled, cancelSync] = useMutation(CancelSyncDocument);
  const [refusal, setRefusal] = useState<string>();
  const outage = useOutage();
  const show = (failed?: CombinedError, problem?: Problem) =>
    setRefusal(failed?.message ?? (problem ? `${problem.message} ${problem.whatToDo}` : undefined));
  const start = () => startSync(variables).then(({ data, error }) => show(error, data?.startSync.problem));
  const cancel = (syncId: string) =>
    cancelSync({ syncId }).then(({ data, error }) => show(error, data?.cancelSync.problem));
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
        disabled={!!outage || !syncAvailable || !!currentSync || started.fetching}
        onClick={() => void start()}
      >
        Start sync
      </button>
      {currentSync && (
        <button disabled={!!outage || cancelled.fetching} onClick={() => void cancel(currentSync.id)}>
          Cancel
        </button>
      )}
    </section>
  );
}
