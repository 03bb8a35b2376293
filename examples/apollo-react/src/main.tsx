// src/main.tsx
import { ApolloProvider } from '@apollo/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { History } from './History';
import { Log } from './Log';
import { Patients } from './Patients';
import { client } from './client';

const organizationId = 'org_2xwHiNrj68eaRUlX10anlXGvzX7';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <ApolloProvider client={client}>
      <Patients organizationId={organizationId} />
      <Log organizationId={organizationId} />
      <History organizationId={organizationId} />
    </ApolloProvider>
  </StrictMode>,
);
