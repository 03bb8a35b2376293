import { defineConfig } from 'vitest/config';

// Tests that need a page say so in their first line: // @vitest-environment jsdom
export default defineConfig({
  test: {
    setupFiles: 'test/core/setup.ts',
    include: ['test/**/*.test.ts'],
    server: { deps: { inline: ['graphql-ws'] } }, // or it would find another copy of graphql than the tests do
    testTimeout: 120_000, // some start a server, on a machine that may be busy
    hookTimeout: 60_000,
  },
});
