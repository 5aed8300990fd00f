import { CarReader } from '@ipld/car';
import { describe, expect, test } from 'vitest';
import { blockOf, verifyBlock } from '../../src/blocks.ts';
import { concatBytes } from '../../src/bytes.ts';
import { carFrames, carHeader } from '../../src/car/writer.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { blocksOf } from '../support/history.ts';
import { forSeeds } from '../support/random.ts';
import { exchange, memoryLedger, texts } from './support.ts';

async function exported(ledger: Ledger): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of ledger.export()) chunks.push(chunk);
  return concatBytes(chunks);
}

/** A ledger with branches, several documents and more commits than one batch of an export. */
async function filled(): Promise<Ledger> {
  const alice = await memoryLedger('alice');
  const bob = await memoryLedger('bob');
  for (let n = 0; n < 150; n++) {
    await alice.put({ _id: `${n % 9}`, n });
    await bob.put({ _id: `${n % 7}`, n });
  }
  await exchange(alice, bob);
  return alice;
}

describe('an export', () => {
  test('is a CAR that other tools read: all commits, whose roots are the clock', async () => {
    const alice = await filled();
    const car = await CarReader.fromBytes(await exported(alice));
    expect(texts(await car.getRoots())).toEqual(texts(alice.clock));
    let count = 0;
    for await (const block of car.blocks()) {
      verifyBlock(block);
      count++;
    }
    expect(count).toBe(300);
  });

  test('does not have what is written while it runs', async () => {
    const alice = await filled();
    const chunks: Uint8Array[] = [];
    for await (const chunk of alice.export()) {
      chunks.push(chunk);
      await alice.put({ _id: 'meanwhile', chunk: chunks.length });
    }
    const bob = await memoryLedger('bob');
    expect(await bob.import(chunks)).toEqual({ blocks: 300, added: 300 });
    expect(await bob.get('meanwhile')).toBeUndefined();
  });

  test('of an empty ledger is a CAR without blocks', async () => {
    const alice = await memoryLedger('alice');
    const bob = await memoryLedger('bob');
    expect(await bob.import(await exported(alice))).toEqual({ blocks: 0, added: 0 });
    expect(bob.clock).toEqual([]);
  });
});

describe('an import', () => {
  test('in chunks of any size gives the same ledger', async () => {
    const alice = await filled();
    const car = await exported(alice);
    await forSeeds(10, async (random) => {
      const bob = await memoryLedger('bob');
      const most = random.pick([1, 10, 1000, 100_000]);
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < car.length;) {
        const size = 1 + random.below(most);
        chunks.push(car.subarray(at, at + size));
        at += size;
      }
      expect(await bob.import(random.oneIn(2) ? chunks : oneByOne(chunks))).toEqual({
        blocks: 300,
        added: 300,
      });
      expect(await bob.digest()).toBe(await alice.digest());
      expect(texts(bob.clock)).toEqual(texts(alice.clock));
    });
  });

  test('is merged with what is there, and tells how much of it was new', async () => {
    const alice = await filled();
    const car = await exported(alice);
    const bob = await memoryLedger('bob');
    await bob.put({ _id: 'mine' });
    await bob.import(car);
    expect(await bob.import(car)).toEqual({ blocks: 300, added: 0 });
    expect(bob.count()).toBe(alice.count() + 1);
  });

  test('of a CAR that is cut off is refused, and what came before stays', async () => {
    const alice = await memoryLedger('alice');
    for (let n = 0; n < 5; n++) await alice.put({ _id: `${n}` });
    const car = await exported(alice);
    const blocks = await blocksOf(alice);
    const last = blocks.at(-1)!.bytes.length;
    for (const length of [0, 1, 30, car.length - last, car.length - 1]) {
      const bob = await memoryLedger('bob');
      await expect(bob.import(car.subarray(0, length))).rejects.toMatchObject({
        name: 'BlockError',
        code: 'malformed-car',
      });
      expect(bob.count()).toBe(length >= car.length - last ? 4 : 0);
      await bob.import(car);
      expect(await bob.digest()).toBe(await alice.digest());
    }
  });

  test('with a block that is not what its CID says is refused, and what came before stays', async () => {
    const alice = await memoryLedger('alice');
    for (let n = 0; n < 5; n++) await alice.put({ _id: `${n}` });
    const blocks = await blocksOf(alice);
    const swapped = blocks.map((block, n) =>
      n === 3 ? { cid: block.cid, bytes: blocks[4]!.bytes } : block,
    );
    const bob = await memoryLedger('bob');
    const car = carFrames(swapped, carHeader(alice.clock));
    await expect(bob.import(car)).rejects.toMatchObject({
      name: 'BlockError',
      code: 'hash-mismatch',
    });
    expect((await bob.allDocs()).rows.map(({ id }) => id)).toEqual(['0', '1', '2']);
    expect(await bob.verify()).toMatchObject({ corrupt: [], stateMatches: true });
    await bob.import(carFrames(blocks, carHeader(alice.clock)));
    expect(await bob.digest()).toBe(await alice.digest());
  });

  test('of anything else is refused', async () => {
    const bob = await memoryLedger('bob');
    for (const bytes of [Buffer.from('{"json":true}'), new Uint8Array(100)]) {
      await expect(bob.import(bytes)).rejects.toMatchObject({
        name: 'BlockError',
        code: 'malformed-car',
      });
    }
    const notCommit = blockOf(Uint8Array.of(0x01));
    await expect(
      bob.import(carFrames([notCommit], carHeader([notCommit.cid]))),
    ).rejects.toMatchObject({ name: 'BlockError', code: 'malformed-commit' });
    expect(bob.clock).toEqual([]);
  });

  test('goes on after the one who delivers it fails', async () => {
    const alice = await filled();
    const car = await exported(alice);
    const bob = await memoryLedger('bob');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield car.subarray(0, 5000);
      throw new RangeError('the line is gone');
    }
    await expect(bob.import(broken())).rejects.toThrow('the line is gone');
    expect(bob.replica.blockCount).toBeGreaterThan(10);
    await bob.import(car);
    expect(await bob.digest()).toBe(await alice.digest());
  });
});

async function* oneByOne(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
