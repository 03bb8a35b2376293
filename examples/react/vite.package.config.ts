// Builds the package's script, dist/index.js. It holds all that it needs but React; its styles are a file of their own, as
// servers that render pages can't read an import of CSS.

import { defineConfig } from 'vite';

export default defineConfig({
  resolve: { dedupe: ['graphql-ws'] }, // the core's, from this folder's packages
  build: {
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'index' },
    target: 'es2022',
    minify: false, // apps do that, and errors in it stay readable
    sourcemap: true,
    rolldownOptions: { external: /^react(-dom)?($|\/)/ },
  },
});
