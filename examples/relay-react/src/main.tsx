// src/main.tsx
import { StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { RelayEnvironmentProvider } from 'react-relay';
import { Clinic } from './Clinic';
import { Failure } from './Failure';
import { environment } from './environment';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <RelayEnvironmentProvider environment={environment}>
      <Failure>
        <Suspense fallback={<p role="status">Loading…</p>}>
          <Clinic organizationId="org_2xwHiNrj68eaRUlX10anlXGvzX7" />
        </Suspense>
      </Failure>
    </RelayEnvironmentProvider>
  </StrictMode>,
);
