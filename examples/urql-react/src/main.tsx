// src/main.tsx
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'urql';
import { Patients } from './Patients';
import { client } from './client';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Provider value={client}>
      <Patients organizationId="org_2xwHiNrj68eaRUlX10anlXGvzX7" />
    </Provider>
  </StrictMode>,
);
