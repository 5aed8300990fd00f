import { defineConfig } from 'vitest/config';
import base, {
  browserProject,
  longPages,
  longWithinBrowsers,
  pagesProject,
} from './vitest.config.ts';

/** Whole apps and all that browsers do to storage and tabs, in both browsers: many minutes. */
export default defineConfig({
  resolve: base.resolve!,
  cacheDir: base.cacheDir!,
  test: { projects: [pagesProject(longPages), browserProject(longWithinBrowsers)] },
});
