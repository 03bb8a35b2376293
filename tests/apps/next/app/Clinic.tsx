'use client'

import { useState } from 'react'
import SyncDashboard from 'routiq-gql-react'

interface Props {
  organizationId: string
  apiBaseUrl: string
}

// Functions can't be handed over from the server, so the token and the callbacks come from a client component.
export function Clinic(props: Props) {
  const [completed, setCompleted] = useState<string[]>([])
  return (
    <>
      <SyncDashboard
        {...props}
        parts={['connection', 'log', 'history']}
        getToken={() => null}
        onCompleted={({ syncId }) => setCompleted((earlier) => [...earlier, syncId])}
      />
      <p id="completed">{completed.join(' ')}</p>
    </>
  )
}
