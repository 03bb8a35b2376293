// src/main.tsx
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'urql';
import { History } from './History';
import { Log } from './Log';
import { Patients } from './Patients';
import { client } from './client';

const organizationId = 'org_2xwHiNrj68eaRUlX10anlXGvzX7';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Provider value={client}>
      <Patients organizationId={organizationId} />
      <Log organizationId={organizationId} />
      <History organizationId={organizationId} />
    </Provider>
  </StrictMode>,
);
