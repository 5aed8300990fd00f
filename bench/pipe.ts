import { createMemoryChannelPair, type MemoryChannel } from '../src/transports/memory.ts';
import type { Pipe } from './peer.ts';
import { quantile } from './quantile.ts';

/** Joined channels that count what is sent and deliver it in a later macrotask, in order. */
export function openPipe(maxFrameBytes: number): Pipe {
  return createMemoryChannelPair({ maxFrameBytes });
}

const FRAME_BYTES = 64 * 1024;

const FLOOR_RUNS = 5;

/**
 * The physical limit: how long the bare pipe takes for these bytes each way, one way after the other,
 * in frames of 64 KiB under its own backpressure. The median of several runs, in milliseconds.
 */
export async function floorMs(bytesToBob: number, bytesToAlice: number): Promise<number> {
  globalThis.gc?.();
  const times: number[] = [];
  while (times.length < FLOOR_RUNS) times.push(await pipeMs(bytesToBob, bytesToAlice));
  return quantile(times, 0.5);
}

async function pipeMs(bytesToBob: number, bytesToAlice: number): Promise<number> {
  const [alice, bob] = openPipe(FRAME_BYTES);
  const start = performance.now();
  const arrived = Promise.all([counted(bob, bytesToBob), counted(alice, bytesToAlice)]);
  await pump(alice, bytesToBob);
  await pump(bob, bytesToAlice);
  await arrived;
  const took = performance.now() - start;
  alice.destroy();
  return took;
}

function counted(channel: MemoryChannel, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    if (left === 0) resolve();
    channel.start({
      frame: (frame) => {
        left -= frame.length;
        if (left === 0) resolve();
      },
      closed: () => {},
    });
  });
}

async function pump(channel: MemoryChannel, bytes: number): Promise<void> {
  const frame = new Uint8Array(FRAME_BYTES).fill(1);
  for (let left = bytes; left > 0; left -= FRAME_BYTES) {
    if (channel.congested) await channel.drained();
    channel.send(left < FRAME_BYTES ? frame.subarray(0, left) : frame);
  }
}
