// A page around the component. Its address says what it shows: ?organization=…&api=http://localhost:8000/api/v1, and
// #token=… where the server wants one; what stands behind # is never sent to a server.

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import SyncDashboard from '../../SyncDashboard';
import './page.css';

const parameters = new URLSearchParams(location.search);
const token = new URLSearchParams(location.hash.slice(1)).get('token');

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <main>
      <SyncDashboard
        organizationId={parameters.get('organization') ?? 'org_2xwHiNrj68eaRUlX10anlXGvzX7'}
        apiBaseUrl={parameters.get('api') ?? 'http://localhost:8000/api/v1'}
        getToken={() => token}
      />
    </main>
  </StrictMode>,
);
