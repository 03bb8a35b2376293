import { useEffect, useState } from 'react'
import SyncDashboard, { type Part } from 'routiq-gql-react'
import 'routiq-gql-react/style.css'

// A server that renders the page has no address of it.
const parameters = new URLSearchParams(typeof location === 'undefined' ? '' : location.search)

export default function App() {
  const [completed, setCompleted] = useState<string[]>([])
  const [parts, setParts] = useState<Part[]>(['log'])
  useEffect(() => setParts((parameters.get('parts') ?? 'log').split(' ') as Part[]), []) // not on the server
  return (
    <>
      <SyncDashboard
        organizationId={parameters.get('organization') ?? 'org_2xwHiNrj68eaRUlX10anlXGvzX7'}
        apiBaseUrl={parameters.get('api') ?? '/api/v1'}
        parts={parts}
        onCompleted={({ syncId }) => setCompleted((earlier) => [...earlier, syncId])}
      />
      <p id="completed">{completed.join(' ')}</p>
    </>
  )
}
