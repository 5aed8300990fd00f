import { execFile, fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebRtcLink } from '../../src/transports/webrtc.ts';
import { listen, numberOf } from '../suites/channel.suite.ts';
import { CallableProcess } from '../support/callable-process.ts';
import type { StreamMethods } from './children/stream-at-once.ts';

// Below the project, so that the children find its packages.
const folder = fileURLToPath(new URL(`../.built/transports-${process.pid}/`, import.meta.url));
const CHILD_TIMEOUT_MS = 60_000;
const BUSY_MS = 200;
/** Of connections that mix up the frames about half do so here. */
const BUSY_ROUNDS = 6;
const FRAMES = 5000;

beforeAll(async () => {
  const children = [
    'fifty-connects',
    'destroy-while-connecting',
    'destroy-while-sending',
    'destroy-with-ports',
    'destroy-attempts',
    'stream-at-once',
  ];
  await build({
    entryPoints: children.map((child) =>
      fileURLToPath(new URL(`./children/${child}.ts`, import.meta.url)),
    ),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    // The suite's helpers are of use here, its test runner is not.
    alias: { vitest: fileURLToPath(new URL('./children/no-vitest.ts', import.meta.url)) },
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(child: string, ...args: string[]): Promise<Ending> {
  return new Promise((resolve) => {
    const started = execFile(
      process.execPath,
      [`${folder}${child}.mjs`, ...args],
      { timeout: CHILD_TIMEOUT_MS, killSignal: 'SIGKILL' },
      (_error, stdout, stderr) =>
        resolve({ code: started.exitCode, signal: started.signalCode, stdout, stderr }),
    );
  });
}

describe('a process with WebRTC links', () => {
  it('ends by itself after fifty connects in a row', async () => {
    const ending = await run('fifty-connects');
    expect(ending).toEqual({ code: 0, signal: null, stdout: 'received 50', stderr: '' });
  }, 70_000);

  it('lives when links are destroyed while both sides send', async () => {
    const ending = await run('destroy-while-sending', '60');
    expect(ending).toEqual({ code: 0, signal: null, stdout: 'done', stderr: '' });
  }, 70_000);

  it('lives when links are destroyed while both sides send on their ports too', async () => {
    const ending = await run('destroy-with-ports', '60');
    expect(ending).toEqual({ code: 0, signal: null, stdout: 'done', stderr: '' });
  }, 70_000);

  it.each(['0', '5', '10', '20', '40'])(
    'ends by itself and without a crash when both sides of a link with trickling signals are destroyed after %s ms',
    async (ms) => {
      const clean = { code: 0, signal: null, stdout: 'done', stderr: '' };
      for (let round = 0; round < 4; round++) {
        const endings = await Promise.all([
          run('destroy-attempts', ms),
          run('destroy-attempts', ms),
        ]);
        expect(endings).toEqual([clean, clean]);
      }
    },
    70_000,
  );

  it.each(['new', 'offered', 'accepting', 'answered', 'connecting', '5', 'bob first', 'connected'])(
    'ends by itself and without a crash when links are destroyed: %s',
    async (moment) => {
      const clean = { code: 0, signal: null, stdout: 'done', stderr: '' };
      for (let round = 0; round < 4; round++) {
        const endings = await Promise.all([
          run('destroy-while-connecting', moment),
          run('destroy-while-connecting', moment),
        ]);
        expect(endings).toEqual([clean, clean]);
      }
    },
    70_000,
  );
});

describe('a process that is busy while it is connected', () => {
  it('hears what came meanwhile, and what comes then, in the order sent', async () => {
    const alice = new CallableProcess<StreamMethods>(fork(`${folder}stream-at-once.mjs`));
    try {
      for (let round = 0; round < BUSY_ROUNDS; round++) {
        const bob = new WebRtcLink({ iceServers: [], initiator: false });
        bob.acceptSignal(await alice.call('offer'));
        const streaming = alice.call('stream', await bob.localSignal());
        // The answer leaves; then nothing of this process goes on but the threads of WebRTC.
        await new Promise((resolve) => setTimeout(resolve, 2));
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
        const channel = await bob.connected;
        const atBob = listen(channel);
        await atBob.count(FRAMES);
        await channel.close();
        await streaming;
        const numbers = atBob.frames.map(numberOf);
        expect(numbers).toEqual(numbers.map((_, i) => i));
      }
      expect(await alice.end()).toBe(0);
    } finally {
      await alice.kill();
    }
  }, 70_000);
});
