import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  resolve: { dedupe: ['graphql', 'graphql-ws', 'ws'] }, // the core's, from this folder's packages
  base: './', // the built page may be put into any folder
  test: {
    environment: 'jsdom',
    setupFiles: 'test/setup.ts',
    include: ['test/**/*.test.{ts,tsx}'],
    server: { deps: { inline: ['graphql-ws'] } }, // or it would find another copy of graphql than the tests do
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
