import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type BrowserKind = 'chromium' | 'firefox';

export const BROWSERS: readonly BrowserKind[] = ['chromium', 'firefox'];

/** How each is called by those who install it. */
const NAMES = {
  chromium: {
    variable: 'EMBERLINK_CHROMIUM',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
    debianPackage: 'chromium',
    download: 'chrome@stable',
    windows: ['Google\\Chrome\\Application\\chrome.exe', 'Chromium\\Application\\chrome.exe'],
    mac: ['Google Chrome.app/Contents/MacOS/Google Chrome', 'Chromium.app/Contents/MacOS/Chromium'],
  },
  firefox: {
    variable: 'EMBERLINK_FIREFOX',
    commands: ['firefox-esr', 'firefox'],
    debianPackage: 'firefox-esr',
    download: 'firefox@stable',
    windows: ['Mozilla Firefox\\firefox.exe'],
    mac: ['Firefox.app/Contents/MacOS/firefox'],
  },
} as const;

/**
 * The program of a browser: what its environment variable names, else one that is installed, else one
 * that this installs, and says so.
 * @throws Error when there is none and none can be had
 */
export function findBrowser(kind: BrowserKind): string {
  const { variable } = NAMES[kind];
  const named = process.env[variable];
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return named;
    throw new Error(`${variable} names ${named}, which is not there`);
  }
  return installed(kind) ?? install(kind);
}

/** Before a test run: finds both, one after the other, for all its processes. None of them then installs one. */
export function setup(): void {
  for (const kind of BROWSERS) process.env[NAMES[kind].variable] = findBrowser(kind);
}

function installed(kind: BrowserKind): string | undefined {
  return places(kind).find((path) => existsSync(path));
}

function places(kind: BrowserKind): string[] {
  const { commands, mac, windows } = NAMES[kind];
  const { PATH = '', PROGRAMFILES, LOCALAPPDATA } = process.env;
  if (process.platform === 'darwin') {
    return ['/Applications', join(homedir(), 'Applications')].flatMap((folder) =>
      mac.map((path) => join(folder, path)),
    );
  }
  if (process.platform === 'win32') {
    return [PROGRAMFILES, process.env['PROGRAMFILES(X86)'], LOCALAPPDATA].flatMap((folder) =>
      folder === undefined ? [] : windows.map((path) => join(folder, path)),
    );
  }
  return commands.flatMap((command) =>
    [...PATH.split(delimiter), '/usr/bin', '/snap/bin'].map((folder) => join(folder, command)),
  );
}

function install(kind: BrowserKind): string {
  const failures: string[] = [];
  for (const attempt of [installPackage, download]) {
    try {
      const path = attempt(kind);
      if (path !== undefined) return path;
    } catch (error) {
      failures.push((error as Error).message.trim());
    }
  }
  throw new Error(
    [
      `there is no ${kind} here, and none could be installed:`,
      `install it, or let ${NAMES[kind].variable} name its program`,
      ...failures,
    ].join('\n'),
  );
}

/** The package of a Debian system, where this process may install it. */
function installPackage(kind: BrowserKind): string | undefined {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  const { debianPackage } = NAMES[kind];
  console.log(`installing ${debianPackage} by apt-get, for tests in ${kind}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (...args: string[]): unknown =>
    execFileSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  run('update', '-qq');
  run('install', '-qq', '-y', '--no-install-recommends', debianPackage);
  return installed(kind);
}

/** A browser of its makers, into a cache folder of the user. */
function download(kind: BrowserKind): string {
  const folder = join(homedir(), '.cache', 'emberlink', 'browsers');
  const { download: name } = NAMES[kind];
  console.log(`downloading ${name} into ${folder}, for tests in ${kind}`);
  const tool = new URL(
    '../../../node_modules/@puppeteer/browsers/lib/cjs/main-cli.js',
    import.meta.url,
  );
  const args = [fileURLToPath(tool), 'install', name, '--path', folder, '--format', '{{path}}'];
  const said = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
  return said.trim().split('\n').at(-1)!.trim();
}
