'use client'

import SyncDashboard from 'routiq-gql-react'

interface Props {
  organizationId: string
  apiBaseUrl: string
}

// Functions can't be handed over from the server, so the token comes from a client component.
export function Clinic(props: Props) {
  return <SyncDashboard {...props} getToken={() => null} />
}
