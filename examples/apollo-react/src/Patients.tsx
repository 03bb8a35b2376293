// src/Patients.tsx
import { useMutation, useQuery, useSubscription } from '@apollo/client/react';
import { DashboardDocument, DashboardUpdatedDocument, StartSyncDocument } from './gql/graphql';

export function Patients({ organizationId }: { organizationId: string }) {
  const variables = { organizationId };
  const { data, error } = useQuery(DashboardDocument, { variables });
  const live = useSubscription(DashboardUpdatedDocument, { variables }); // its events update `data`, by way of the cache
  const [startSync, started] = useMutation(StartSyncDocument, { variables });
  const problem = error ?? live.error ?? started.error;
  if (!data) return <p role="status">{problem?.message ?? 'Loading…'}</p>;
  const { currentSync, patientStats, syncAvailable } = data.dashboard;
  return (
    <section>
      <p>{patientStats.activePatients} of {patientStats.patientsInCliniko} patients are active.</p>
      {currentSync && <p>{currentSync.progressPercentage} %: {currentSync.currentStep}</p>}
      {problem && <p role="alert">{problem.message}</p>}
      <button disabled={!syncAvailable || started.loading} onClick={() => void startSync().catch(() => {})}>
        Start sync
      </button>
    </section>
  );
}
