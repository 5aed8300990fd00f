import { defineConfig } from 'vitest/config';
import base, { longPageTests, nodeTests, timeouts } from './vitest.config.ts';

/** Whole apps and all that browsers do to storage and tabs, in both browsers: some minutes. */
export default defineConfig({
  resolve: base.resolve!,
  test: {
    ...nodeTests,
    ...timeouts,
    name: 'pages',
    include: longPageTests,
    globalSetup: 'test/browser/support/find-browser.ts',
    maxWorkers: 1,
  },
});
