import { fileURLToPath } from 'node:url';
import {
  defineConfig,
  type TestProjectInlineConfiguration,
  type ViteUserConfig,
} from 'vitest/config';
import { leanSimplePeerForVite } from './test/browser/support/lean-simple-peer-for-vite.ts';
import { checkComplaints, puppeteerProvider } from './test/browser/support/puppeteer-provider.ts';

/** How tests run in Node. */
export const nodeTests: NonNullable<ViteUserConfig['test']> = {
  // WebRTC's native module does not live through worker threads.
  pool: 'forks',
  maxWorkers: 2,
};

const testFiles = (...names: string[]): string[] => names.map((name) => `test/${name}.test.ts`);

/** Of the tests of Node those that run within browsers too: other engines, other timers, no Node. */
const alsoInBrowsers = testFiles(
  'ledger/{guard,merge,patch,query}',
  'protocol/{closing,compression,hostile,live,original,pace}',
  'rooms/{cipher,handshake,keys,presence}',
  'storage/memory',
);
/** Of React: `npm test` runs them with this project's, `npm run test:pages` with React 18. */
export const hooks: string[] = ['test/react/*.test.tsx'];

const withinBrowsers = [
  ...hooks,
  ...testFiles('browser/suites/{complaints,indexeddb,slot,webrtc}.browser'),
];
/** The same, longer: `npm run test:pages`. */
export const longWithinBrowsers: string[] = testFiles(
  'browser/suites/opfs.browser',
  'inspector/inspector.browser',
  'protocol/{cuts,takes,two-sessions}',
  'transports/signal',
);

const pages = testFiles('browser/{launch-browser,two-peers}');
/** Whole apps, and what takes minutes: `npm run test:pages`. */
export const longPages: string[] = testFiles(
  'browser/{bundlers,game,game-drawing,game-together,inspector-example,interrupted}',
  'browser/{pair,pair-access,react-example}',
  'browser/{rooms,storage,tabs,todo-react}',
  'game/{killed,together}',
  'rooms/namespaces',
  'transports/{lean-simple-peer,patience}',
);

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

const timeouts = { testTimeout: 30_000, hookTimeout: 30_000 };

/** Pages driven from Node, and what else is long: one file at a time. */
export function pagesProject(include: string[]): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      ...nodeTests,
      ...timeouts,
      name: 'pages',
      include,
      globalSetup: 'test/browser/support/find-browser.ts',
      maxWorkers: 1,
      sequence: { groupOrder: 1 },
    },
  };
}

/** Tests within browsers. */
export function browserProject(include: string[]): TestProjectInlineConfiguration {
  return {
    extends: true,
    plugins: [leanSimplePeerForVite],
    // What is found late would reload the page in the middle of a test.
    optimizeDeps: { noDiscovery: true, include: commonJs },
    test: {
      ...timeouts,
      name: 'browser',
      include,
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
        instances: [{ browser: 'chromium' }, { browser: 'firefox' }],
      },
    },
  };
}

export default defineConfig({
  resolve: {
    alias: {
      'emberlink/react': fileURLToPath(new URL('./src/react/index.ts', import.meta.url)),
      'emberlink/inspector': fileURLToPath(new URL('./src/inspector/index.ts', import.meta.url)),
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
          exclude: ['test/browser/**', '**/*.browser.test.ts', ...longPages],
        },
      },
      // After those of Node, and beside each other.
      pagesProject(pages),
      browserProject([...alsoInBrowsers, ...withinBrowsers]),
    ],
  },
});
