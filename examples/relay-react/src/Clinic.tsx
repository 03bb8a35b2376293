// src/Clinic.tsx
import { Suspense, useMemo, useState } from 'react';
import { graphql, useFragment, useLazyLoadQuery, useSubscription } from 'react-relay';
import type { ClinicQuery } from './__generated__/ClinicQuery.graphql';
import type { ClinicSubscription } from './__generated__/ClinicSubscription.graphql';
import type { Clinic_dashboard$key } from './__generated__/Clinic_dashboard.graphql';
import { CurrentSync } from './CurrentSync';
import { Failure } from './Failure';
import { History, prepend } from './History';
import { Log } from './Log';
import { Patients } from './Patients';

export function Clinic({ organizationId }: { organizationId: string }) {
  const data = useLazyLoadQuery<ClinicQuery>(
    graphql`
      query ClinicQuery($organizationId: ID!) {
        dashboard(organizationId: $organizationId) {
          ...Clinic_dashboard
        }
        ...History_query
      }
    `,
    { organizationId },
  );
  const dashboard = useFragment<Clinic_dashboard$key>(
    graphql`
      fragment Clinic_dashboard on Dashboard {
        patientStats {
          activePatients
          patientsInCliniko
        }
        currentSync {
          id
        }
        lastSync {
          id
        }
        lastSuccessfulSync {
          id
        }
        ...CurrentSync_dashboard
      }
    `,
    data.dashboard,
  );
  const [refusal, setRefusal] = useState<Error | null>(null);
  useSubscription<ClinicSubscription>(
    useMemo(
      () => ({
        subscription: graphql`
          subscription ClinicSubscription($organizationId: ID!) {
            dashboardUpdated(organizationId: $organizationId) {
              ...Clinic_dashboard
              lastSync {
                ...History_sync
              }
              currentSync {
                ...History_sync
              }
            }
          }
        `,
        variables: { organizationId },
        onError: setRefusal,
        updater: (store) => {
          const updated = store.getRootField('dashboardUpdated');
          for (const sync of [updated.getLinkedRecord('lastSync'), updated.getLinkedRecord('currentSync')]) {
            if (sync) prepend(store, organizationId, sync);
          }
        },
      }),
      [organizationId],
    ),
  );
  const { currentSync, lastSync, lastSuccessfulSync, patientStats } = dashboard;
  const shown = currentSync ?? lastSync;
  return (
    <main>
      <p>{patientStats.activePatients} of {patientStats.patientsInCliniko} patients are active.</p>
      {refusal && <p role="alert">{refusal.message}</p>}
      <CurrentSync organizationId={organizationId} dashboard={dashboard} />
      {shown && (
        <Failure key={shown.id}>
          <Suspense fallback={<p role="status">Loading the log…</p>}>
            <Log syncId={shown.id} />
          </Suspense>
        </Failure>
      )}
      <History query={data} />
      {lastSuccessfulSync && (
        <Failure>
          <Suspense fallback={<p role="status">Loading the patients…</p>}>
            <Patients organizationId={organizationId} newest={lastSuccessfulSync.id} />
          </Suspense>
        </Failure>
      )}
    </main>
  );
}
