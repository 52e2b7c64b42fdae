import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules', 'dist'],
    pool: 'forks',
    // Some tests use the default port, as users do.
    fileParallelism: false,
    // Nothing here depends on being fast: a shared machine may stall a test for many seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/closing-line.ts'],
  },
});
