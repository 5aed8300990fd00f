import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { leanSimplePeerForVite } from './test/browser/support/lean-simple-peer-for-vite.ts';
import { checkComplaints, puppeteerProvider } from './test/browser/support/puppeteer-provider.ts';

/** How tests run in Node. */
export const nodeTests: NonNullable<ViteUserConfig['test']> = {
  // WebRTC's native module does not live through worker threads.
  pool: 'forks',
  maxWorkers: 2,
};

/** Of the tests of Node those that run within browsers too: other engines, other timers, no Node. */
const alsoInBrowsers = [
  'ledger/{guard,merge,query}',
  'protocol/{closing,compression,cuts,hostile,live,original,pace,takes,two-sessions}',
  'rooms/{handshake,keys,presence}',
  'storage/memory',
  'transports/signal',
].map((name) => `test/${name}.test.ts`);

/** Those that Firefox is given too: what an engine may do in its own way, and not all that takes long. */
const alsoInFirefox = [
  'ledger/query',
  'protocol/{closing,compression,hostile,live,pace}',
  'rooms/{handshake,keys,presence}',
  'storage/memory',
  'transports/memory',
].map((name) => `test/${name}.test.ts`);

const withinBrowsers = ['test/react/*.test.tsx', 'test/**/*.browser.test.ts'];

/** Whole apps in two browsers, and what takes minutes: `npm run test:pages`. */
export const longPageTests: string[] = [
  'browser/bundlers',
  'browser/pair',
  'browser/pair-access',
  'browser/storage',
  'browser/tabs',
  'browser/todo-react',
  'transports/lean-simple-peer',
].map((name) => `test/${name}.test.ts`);

/** Packages that are not of ES modules, or lead to one. */
const commonJs = [
  '@ipld/car',
  '@ipld/car/buffer-reader',
  '@ipld/car/buffer-writer',
  'react',
  'react-dom',
  'react-dom/client',
  'react-dom/server',
  'react/jsx-dev-runtime',
];

export const timeouts = { testTimeout: 30_000, hookTimeout: 30_000 };

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
  // Not among the packages: those of several work trees may be the same.
  cacheDir: 'test/.built/vite',
  test: {
    projects: [
      {
        extends: true,
        test: {
          ...nodeTests,
          ...timeouts,
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', '**/*.browser.test.ts', ...longPageTests],
        },
      },
      // After those of Node, and beside each other: pages driven from Node, and tests within a browser.
      {
        extends: true,
        test: {
          ...nodeTests,
          ...timeouts,
          name: 'pages',
          include: ['test/browser/*.test.ts'],
          exclude: longPageTests,
          globalSetup: 'test/browser/support/find-browser.ts',
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        plugins: [leanSimplePeerForVite],
        // What is found late would reload the page in the middle of a test.
        optimizeDeps: { noDiscovery: true, include: commonJs },
        test: {
          ...timeouts,
          name: 'browser',
          include: [...alsoInBrowsers, 'test/**/*.browser.test.{ts,tsx}'],
          globalSetup: 'test/browser/support/find-browser.ts',
          setupFiles: 'test/browser/support/check-complaints.ts',
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: puppeteerProvider(),
            commands: { checkComplaints },
            instances: [
              { browser: 'chromium', include: [...alsoInBrowsers, ...withinBrowsers] },
              { browser: 'firefox', include: [...alsoInFirefox, ...withinBrowsers] },
            ],
          },
        },
      },
    ],
  },
});
