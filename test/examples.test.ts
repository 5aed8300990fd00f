import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 240_000;

/** What each example must print. */
const expectations: Record<string, (output: string) => void> = {
  quickstart: (output) => expect(output).toBe(promised('quickstart')),
  'own-replica': (output) => expect(output).toBe(promised('own-replica')),
  room: (output) => expect(output).toBe(promised('room')),
  'pasted-room': (output) => expect(output).toBe(promised('pasted-room')),
  websocket: (output) => expect(output).toBe(promised('websocket')),
  'signaling-server': (output) => expect(output).toBe(promised('signaling-server')),
  ledger: (output) => {
    expect(output).toMatch(/^local write of note:1\n/);
    expect(output).toMatch(/\ntrue\n$/);
  },
  'two-peers': (output) => {
    const row = (head: string): string[] => {
      const line = output.split('\n').find((each) => each.startsWith(head));
      return line?.trim().split(/ {2,}/) ?? [];
    };
    expect(row('documents')).toEqual(['documents', '171,075', '171,075']);
    const [, ours, theirs] = row('state (SHA-256)');
    expect(ours).toMatch(/^[0-9a-f]{16}$/);
    expect(theirs).toBe(ours);
    expect(output).toContain('Conflicts: 100.');
    expect(output).toContain('Clocks and states are equal.');
  },
};

beforeAll(() => run('npm', 'run', 'build'), TIMEOUT_MS);

/** Those that are for browsers, and where they are tried. */
const tried: Record<string, string> = {
  inspector: 'inspector-example.test.ts',
  'react.tsx': 'react-example.test.ts',
  'todo-react': 'todo-react.test.ts',
};

test('every example is tried, here or in browsers', () => {
  const examples = readdirSync(`${root}/examples`).map((file) => file.replace(/\.ts$/, ''));
  expect([...Object.keys(expectations), ...Object.keys(tried)].sort()).toEqual(examples.sort());
  for (const file of Object.values(tried))
    expect(existsSync(`${root}/test/browser/${file}`)).toBe(true);
});

test.each(Object.keys(expectations))(
  'the example %s, built, prints what it promises and ends by itself',
  async (name) => expectations[name]!(await run(process.execPath, `dist/examples/${name}.js`)),
  TIMEOUT_MS,
);

/** What a program prints; an error, with all that it said, unless it ends with 0. */
function run(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, timeout: TIMEOUT_MS - 10_000 };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error }));
    });
  });
}

/** The comments behind the `console.log` calls of an example. */
function promised(name: string): string {
  const source = readFileSync(`${root}/examples/${name}.ts`, 'utf8');
  const comments = [...source.matchAll(/^console\.log\(.*\); \/\/ (.+)$/gm)];
  return comments.map(([, comment]) => `${comment}\n`).join('');
}
