import { useState } from 'react'
import 'routiq-gql-element'
import type { Sync } from 'routiq-gql-element'
import type {} from 'routiq-gql-element/react'

const labels = { heading: 'Sync in React' }
const getToken = () => null

// A server that renders the page has no address of it.
const parameters = new URLSearchParams(typeof location === 'undefined' ? '' : location.search)

export default function App() {
  const [ended, setEnded] = useState('')
  const note = ({ type, detail }: CustomEvent<Sync>) => setEnded((before) => `${before}${type}: ${detail.syncId} `)
  return (
    <main>
      <h1>An app</h1>
      <routiq-sync
        organization-id={parameters.get('organization') ?? ''}
        api-base-url={parameters.get('api') ?? ''}
        labels={labels}
        getToken={getToken}
        oncompleted={note}
        onfailed={note}
        oncancelled={note}
      />
      <output>{ended}</output>
    </main>
  )
}
