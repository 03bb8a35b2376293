// Writes src/core/gql/graphql.ts from the schema and from the operations in src/core/. Run it after a change of either:
// npm run codegen

import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: 'src/core/**/*.graphql',
  generates: {
    'src/core/gql/graphql.ts': {
      plugins: ['typescript', 'typescript-operations', './codegen-documents.mjs'],
      config: {
        scalars: { DateTime: 'string' }, // ISO 8601 in UTC, such as 2024-12-22T14:30:22.123Z
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        onlyOperationTypes: true, // so that a new field that is not asked for changes nothing here
        avoidOptionals: true,
        skipTypename: true,
      },
    },
  },
};

export default config;
