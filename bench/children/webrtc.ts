import { reasonOf } from '../child.ts';
import { SIDES } from '../webrtc/index.ts';
import type { Introducer, SideTask } from '../webrtc/side.ts';

/** What the parent of a side says to it, and the side to its parent. */
export type ToSide =
  | { readonly kind: 'go' }
  | { readonly kind: 'text'; readonly text: string }
  /** The last word: the side tells its peak of memory, and is killed. */
  | { readonly kind: 'measure' };
export type FromSide =
  | { readonly kind: 'ready' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'connected'; readonly ms: number }
  /** From Bob: how long it took from the connection on. */
  | { readonly kind: 'complete'; readonly ms: number }
  | { readonly kind: 'memory'; readonly peakRss: number }
  | { readonly kind: 'failed'; readonly reason: string };

const texts: string[] = [];
let waiting: ((text: string) => void) | undefined;
const introducer: Introducer = {
  send: (text) => tell({ kind: 'text', text }),
  receive: () =>
    new Promise((resolve) => {
      const text = texts.shift();
      if (text === undefined) waiting = resolve;
      else resolve(text);
    }),
};

function tell(message: FromSide): void {
  process.send!(message);
}

async function main({ row, ...task }: SideTask & { row: string }): Promise<void> {
  const side = await SIDES[row]!.open(task);
  const go = new Promise<void>((resolve) => {
    process.on('message', (message: ToSide) => {
      switch (message.kind) {
        case 'go':
          return resolve();
        case 'measure':
          return tell({ kind: 'memory', peakRss: process.resourceUsage().maxRSS * 1024 });
        case 'text':
          if (waiting === undefined) texts.push(message.text);
          else waiting(message.text);
          waiting = undefined;
      }
    });
  });
  tell({ kind: 'ready' });
  await go;
  const start = performance.now();
  await side.connect(introducer);
  const connected = performance.now();
  tell({ kind: 'connected', ms: connected - start });
  if (task.role === 'bob') {
    await side.complete();
    tell({ kind: 'complete', ms: performance.now() - connected });
  }
}

main(JSON.parse(process.argv[2]!) as SideTask & { row: string }).catch((error: unknown) =>
  tell({ kind: 'failed', reason: reasonOf(error) }),
);
