// codegen.ts
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: 'http://localhost:8000/graphql', // a running server, or a copy of schema.graphql
  documents: 'src/**/*.graphql',
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        scalars: { DateTime: 'string' }, // such as 2024-12-22T14:30:22.123Z
        useTypeImports: true, // Vite's template sets verbatimModuleSyntax, which needs `import type`
        enumsAsTypes: true, // and erasableSyntaxOnly, which forbids enums
      },
    },
  },
};

export default config;
