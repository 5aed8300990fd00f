import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BENCH_FOLDER } from '../paths.ts';

export interface ServedGame {
  readonly url: string;
  readonly signalingUrl: string;
  close(): Promise<void>;
}

/** The built site with its signaling server, in a process of its own, as `npm run pair` serves it. */
export async function serveGame(): Promise<ServedGame> {
  const child = spawn(process.execPath, [`${BENCH_FOLDER}/../dist/site/main.js`, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const addresses = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [, what, address] = /^(\w[\w ]*?) {2,}(\S+)/.exec(line) ?? [];
    if (what !== undefined) addresses.set(what, address!);
    if (addresses.has('signaling')) break;
  }
  return {
    url: addresses.get('game')!,
    signalingUrl: addresses.get('signaling')!,
    async close() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
