import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command, bundled, run as processes of its own over a folder of its own. */
export class Cli {
  readonly folder: string;
  readonly #main: string;
  readonly #running = new Set<ChildProcessWithoutNullStreams>();

  private constructor(folder: string, main: string) {
    this.folder = folder;
    this.#main = main;
  }

  /** @param name of the test file, so that files that run at the same time build apart */
  static async build(name: string): Promise<Cli> {
    const folder = fileURLToPath(new URL(`../.built/cli/${name}`, import.meta.url));
    await build({
      entryPoints: [fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))],
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What a command loads only when it needs it stays apart: each run starts in half the time.
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    return new Cli(
      await mkdtemp(join(tmpdir(), `emberlink-cli-${name}-`)),
      join(folder, 'main.mjs'),
    );
  }

  start(...args: string[]): ChildProcessWithoutNullStreams {
    const { EMBERLINK_LEDGER: _, ...env } = process.env;
    const child = spawn(process.execPath, [this.#main, ...args], {
      cwd: this.folder,
      env: { ...env, EMBERLINK_FOLDER: join(this.folder, 'ledgers'), NO_COLOR: '' },
    });
    // A process that stops reading its stdin is no failure of the test's.
    child.stdin.on('error', () => {});
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }

  /** Runs it to its end with nothing on stdin. */
  run(...args: string[]): Promise<Result> {
    return this.runWith('', ...args);
  }

  runWith(input: string | Uint8Array, ...args: string[]): Promise<Result> {
    const child = this.start(...args);
    child.stdin.end(input);
    return resultOf(child);
  }

  /** Runs it with `--json` and returns the values that it prints; throws when it fails. */
  async values(...args: string[]): Promise<unknown[]> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    if (code !== 0) throw new Error(`emberlink ${args.join(' ')} exited with ${code}: ${stderr}`);
    return stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  }

  async remove(): Promise<void> {
    for (const child of this.#running) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

export async function resultOf(child: ChildProcessWithoutNullStreams): Promise<Result> {
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    exitCode(child),
  ]);
  return { code, stdout, stderr };
}

export async function exitCode(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** The lines of stdout, one by one. */
export function linesOf(child: ChildProcessWithoutNullStreams): () => Promise<string> {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const next = await lines.next();
    if (next.done === true) throw new Error('the command printed nothing more');
    return next.value;
  };
}
