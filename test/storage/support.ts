import { type Block, blockOf } from '../../src/blocks.ts';
import type { Log, LogEntry, LogPosition } from '../../src/storage/log.ts';
import type { Place } from '../../src/storage/place.ts';

/** Numbers in [0, below) that depend on nothing but the seed. */
export type Random = (below: number) => number;

export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

export function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256));
}

export function randomBlock(random: Random, length: number): Block {
  return blockOf(randomBytes(random, length));
}

export function randomBlocks(random: Random, count: number, maxLength: number): Block[] {
  return Array.from({ length: count }, () => randomBlock(random, 20 + random(maxLength)));
}

export function cidsOf(blocks: readonly Block[]): string[] {
  return blocks.map(({ cid }) => cid.toString());
}

export async function recoverAll(log: Log, from?: LogPosition): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  for await (const batch of log.recover(from)) found.push(...batch);
  return found;
}

export async function sizeOf(place: Place, name: string): Promise<number> {
  const file = (await place.list()).find((entry) => entry.name === name);
  return file?.size ?? 0;
}

export async function readWhole(place: Place, name: string): Promise<Uint8Array> {
  return place.read(name, 0, await sizeOf(place, name));
}

/** Like `replace`, but without the wait for the disk. */
export async function overwrite(place: Place, name: string, bytes: Uint8Array): Promise<void> {
  await place.remove(name);
  await place.append(name, bytes);
}
