// src/main.tsx
import { ApolloProvider } from '@apollo/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Patients } from './Patients';
import { client } from './client';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <ApolloProvider client={client}>
      <Patients organizationId="org_2xwHiNrj68eaRUlX10anlXGvzX7" />
    </ApolloProvider>
  </StrictMode>,
);
