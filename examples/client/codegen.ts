// Writes src/core/gql/graphql.ts from the schema and from the operations in src/core/, and the page's own file for patients.
// Run it after a change of either: npm run codegen

import type { CodegenConfig } from '@graphql-codegen/cli';

const plugins = ['typescript', 'typescript-operations', './codegen-documents.mjs'];

const options = {
  scalars: { DateTime: 'string' }, // ISO 8601 in UTC, such as 2024-12-22T14:30:22.123Z
  enumsAsTypes: true,
  useTypeImports: true,
  strictScalars: true,
  onlyOperationTypes: true, // so that a new field that is not asked for changes nothing here
  avoidOptionals: true,
  skipTypename: true,
};

const config: CodegenConfig = {
  schema: '../../schema.graphql',
  generates: {
    'src/core/gql/graphql.ts': { documents: 'src/core/**/*.graphql', plugins, config: options },
    // Apart, so that the element has none of it.
    'src/page/patients/gql/graphql.ts': { documents: 'src/page/patients/*.graphql', plugins, config: options },
    // Which documents the server always trusts.
    '../../routiq_gql/api/graphql/trusted/own.json': {
      documents: ['src/core/**/*.graphql', 'src/page/patients/*.graphql'],
      plugins: ['./codegen-documents.mjs'],
      config: { manifest: true },
    },
  },
};

export default config;
