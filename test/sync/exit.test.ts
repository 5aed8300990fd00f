import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildChild } from '../support/built.ts';

const MEGABYTE = 1e6;
/** Less than the 5 s for which a timer of simple-peer, if forgotten, holds a process. */
const EXIT_WITHIN_MS = 4000;

let program: string;

beforeAll(async () => {
  program = await buildChild('fifty-connects.ts');
});

interface Ending {
  readonly code: number | null;
  readonly stderr: string;
  readonly told: {
    readonly synced: number;
    readonly resources: string[];
    readonly grown: { readonly rss: number; readonly held: number };
  };
}

/** Runs the program; kills it when it is not gone soon after it has told its result. */
async function run(mode: 'close' | 'destroy'): Promise<Ending> {
  const child = spawn(process.execPath, ['--expose-gc', program, mode]);
  let stdout = '';
  let stderr = '';
  let tooLate: NodeJS.Timeout | undefined;
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString();
    tooLate ??= setTimeout(() => child.kill('SIGKILL'), EXIT_WITHIN_MS);
  });
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(tooLate);
  return { code, stderr, told: JSON.parse(stdout) as Ending['told'] };
}

describe('a process that connects fifty times in a row', () => {
  it.each([
    ['each closed in order', 'close', 50],
    // One moment of six is after the sync, one more may be.
    ['destroyed at another moment of its course each', 'destroy', 8],
  ] as const)(
    '%s, keeps no handle and no memory, and ends by itself',
    async (_title, mode, atLeast) => {
      const { code, stderr, told } = await run(mode);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(told.synced).toBeGreaterThanOrEqual(atLeast);
      expect(told.resources).toEqual([]);
      const { rss, held } = told.grown;
      expect(held).toBeLessThan(4 * MEGABYTE);
      expect(rss).toBeLessThan(48 * MEGABYTE);
      console.log(
        `${mode}: in 40 rounds RSS grew by ${(rss / MEGABYTE).toFixed(1)} MB, ` +
          `what JavaScript holds by ${(held / MEGABYTE).toFixed(1)} MB`,
      );
    },
    60_000,
  );
});
