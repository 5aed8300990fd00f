import { join } from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { REACT_18 } from './test/react/install-react-18.ts';
import base, {
  browserProject,
  hooks,
  longPages,
  longWithinBrowsers,
  pagesProject,
} from './vitest.config.ts';

/** Whole apps, all that browsers do to storage and tabs, and the longest tests of Node: many minutes. */
export default defineConfig({
  resolve: base.resolve!,
  cacheDir: base.cacheDir!,
  test: {
    projects: [
      pagesProject(longPages),
      browserProject(longWithinBrowsers),
      withReact18(browserProject(hooks)),
    ],
  },
});

function withReact18(project: TestProjectInlineConfiguration): TestProjectInlineConfiguration {
  const alias = Object.fromEntries(
    ['react', 'react-dom'].map((name) => [name, join(REACT_18, 'node_modules', name)]),
  );
  return {
    ...project,
    resolve: { alias },
    cacheDir: `${base.cacheDir}-react-18`,
    test: {
      ...project.test,
      name: 'react 18',
      env: { EMBERLINK_REACT: '18' },
      globalSetup: ['test/browser/support/find-browser.ts', 'test/react/install-react-18.ts'],
    },
  };
}
