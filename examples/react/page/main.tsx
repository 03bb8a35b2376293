// A page around the component. Its address says what it shows: ?organization=…&api=http://localhost:8000/api/v1. Where the
// server wants tokens, &tokens=http://localhost:8000/demo/issuer/token names where a fresh one is given out each time, as
// `routiq-gql demo --auth` does; or #token=… is one, which like all that stands behind # is never sent to a server.

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import SyncDashboard from '../../SyncDashboard';
import './page.css';

const parameters = new URLSearchParams(location.search);
const organizationId = parameters.get('organization') ?? 'org_2xwHiNrj68eaRUlX10anlXGvzX7';
const token = new URLSearchParams(location.hash.slice(1)).get('token');

/** In a page of your own this asks the service at which people sign in, such as Clerk's `getToken`. */
async function getToken(): Promise<string | null> {
  const issuer = parameters.get('tokens');
  if (!issuer) return token;
  const answer = await fetch(`${issuer}?organization=${encodeURIComponent(organizationId)}`, { method: 'POST' });
  return ((await answer.json()) as { token: string }).token;
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <main>
      <SyncDashboard
        organizationId={organizationId}
        apiBaseUrl={parameters.get('api') ?? 'http://localhost:8000/api/v1'}
        getToken={getToken}
      />
    </main>
  </StrictMode>,
);
