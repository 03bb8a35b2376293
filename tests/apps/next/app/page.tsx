import { Clinic } from './Clinic'

interface Props {
  searchParams: Promise<Record<string, string | undefined>>
}

// Rendered on the server for each request.
export default async function Page({ searchParams }: Props) {
  const { organization, api } = await searchParams
  return (
    <Clinic
      organizationId={organization ?? 'org_2xwHiNrj68eaRUlX10anlXGvzX7'}
      apiBaseUrl={api ?? 'http://localhost:8000/api/v1'}
    />
  )
}
