// src/Patients.tsx
import { useMutation, useQuery, useSubscription } from 'urql';
import { DashboardDocument, DashboardUpdatedDocument, StartSyncDocument } from './gql/graphql';

export function Patients({ organizationId }: { organizationId: string }) {
  const variables = { organizationId };
  const [{ data, error }] = useQuery({ query: DashboardDocument, variables });
  const [live] = useSubscription({ query: DashboardUpdatedDocument, variables }); // updates `data`, by way of the cache
  const [started, startSync] = useMutation(StartSyncDocument);
  const problem = error ?? live.error ?? started.error;
  if (!data) return <p role="status">{problem?.message ?? 'Loading…'}</p>;
  const { currentSync, patientStats, syncAvailable } = data.dashboard;
  return (
    <section>
      <p>{patientStats.activePatients} of {patientStats.patientsInCliniko} patients are active.</p>
      {currentSync && <p>{currentSync.progressPercentage} %: {currentSync.currentStep}</p>}
      {problem && <p role="alert">{problem.message}</p>}
      <button disabled={!syncAvailable || started.fetching} onClick={() => void startSync(variables)}>
        Start sync
      </button>
    </section>
  );
}
