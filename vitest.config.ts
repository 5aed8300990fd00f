import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: {
    alias: {
      'emberlink/react': fileURLToPath(new URL('./src/react/index.ts', import.meta.url)),
      'emberlink/server': fileURLToPath(new URL('./src/server.ts', import.meta.url)),
      'emberlink/ledger': fileURLToPath(new URL('./src/doors/ledger.ts', import.meta.url)),
      'emberlink/sync': fileURLToPath(new URL('./src/doors/sync.ts', import.meta.url)),
      'emberlink/room': fileURLToPath(new URL('./src/doors/room.ts', import.meta.url)),
      emberlink: fileURLToPath(new URL('./src/index.ts', import.meta.url)),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // WebRTC's native module does not live through worker threads.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
