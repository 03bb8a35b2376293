import SyncDashboard from 'routiq-gql-react'
import 'routiq-gql-react/style.css'

// A server that renders the page has no address of it.
const parameters = new URLSearchParams(typeof location === 'undefined' ? '' : location.search)

export default function App() {
  return (
    <SyncDashboard
      organizationId={parameters.get('organization') ?? 'org_2xwHiNrj68eaRUlX10anlXGvzX7'}
      apiBaseUrl={parameters.get('api') ?? '/api/v1'}
    />
  )
}
