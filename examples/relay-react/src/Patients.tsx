// src/Patients.tsx
import { useTransition, type FormEvent } from 'react';
import { graphql, useLazyLoadQuery, useRefetchableFragment } from 'react-relay';
import type { PatientsQuery } from './__generated__/PatientsQuery.graphql';
import type { PatientList, PatientsRefetchQuery } from './__generated__/PatientsRefetchQuery.graphql';
import type { Patients_query$key } from './__generated__/Patients_query.graphql';

/** The first patients of a list. `newest` is the sync that published last; the list shown may be of an earlier one. */
export function Patients({ organizationId, newest }: { organizationId: string; newest: string }) {
  const data = useLazyLoadQuery<PatientsQuery>(
    graphql`
      query PatientsQuery($organizationId: ID!) {
        patientLists(organizationId: $organizationId) {
          list
          title
        }
        ...Patients_query
      }
    `,
    { organizationId },
  );
  const [found, refetch] = useRefetchableFragment<PatientsRefetchQuery, Patients_query$key>(
    graphql`
      fragment Patients_query on Query
      @argumentDefinitions(list: { type: "PatientList", defaultValue: ACTIVE }, search: { type: "String" })
      @refetchable(queryName: "PatientsRefetchQuery") {
        patients(organizationId: $organizationId, list: $list, search: $search, first: 10) {
          asOf
          totalCount
          nodes {
            id
            name
            why(list: $list) {
              sentence
            }
          }
        }
      }
    `,
    data,
  );
  const [isLoading, startTransition] = useTransition(); // keeps the list on screen until the next one is there

  function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const list = form.get('list') as PatientList;
    const search = String(form.get('search'));
    startTransition(() => void refetch({ list, search }, { fetchPolicy: 'network-only' }));
  }

  const { asOf, nodes, totalCount } = found.patients;
  return (
    <section aria-label="Patients" aria-busy={isLoading}>
      <h2>Patients</h2>
      <form onSubmit={onSubmit}>
        <select
          name="list"
          aria-label="List"
          defaultValue="ACTIVE"
          onChange={(event) => event.currentTarget.form?.requestSubmit()}
        >
          {data.patientLists.map(({ list, title }) => (
            <option key={list} value={list}>{title}</option>
          ))}
        </select>
        <input name="search" type="search" aria-label="Search" maxLength={100} />
        <button>Search</button>
        {asOf !== newest && <button>Show the newest</button>}
      </form>
      <p>{totalCount} found.</p>
      <ul>
        {nodes.map(({ id, name, why }) => (
          <li key={id}>{name}: {why.sentence}</li>
        ))}
      </ul>
    </section>
  );
}
