// The types of <routiq-sync> in JSX of React 19: import type {} from 'routiq-gql-element/react'

import type { DetailedHTMLProps, HTMLAttributes } from 'react';

import type { GetToken, Labels, RoutiqSync, Sync } from './index.js';

type Handler = (event: CustomEvent<Sync>) => void;

export interface RoutiqSyncProps extends DetailedHTMLProps<HTMLAttributes<RoutiqSync>, RoutiqSync> {
  'organization-id'?: string;
  'api-base-url'?: string;
  'graphql-url'?: string;
  'dashboard-url'?: string;
  heading?: string;
  locale?: string;
  parts?: string;
  labels?: Labels | null;
  getToken?: GetToken | null;
  oncompleted?: Handler;
  onfailed?: Handler;
  oncancelled?: Handler;
}

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'routiq-sync': RoutiqSyncProps;
    }
  }
}
