import { encode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import { type Block, blockOf } from '../../src/blocks.ts';
import { keyOf } from '../../src/protocol/diff/list.ts';
import { decodeMessage, type Message } from '../../src/protocol/messages.ts';
import { KEPT_SYMBOLS, Sketch } from '../../src/sketch.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { hexOf } from '../support/hex.ts';
import { forSeeds } from '../support/random.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, copyOf, filled, join, type Joined } from './wire.ts';

/** A sync with what each side said: the kinds of its messages, and the bytes of each kind. */
async function watched(alice: TinyReplica, bob: TinyReplica): Promise<Watched> {
  const said: Watched = { kinds: { alice: [], bob: [] }, bytes: {} };
  const joined = join(alice, bob, {
    onFrame: (frame, from) => {
      const { kind } = decodeMessage(frame as Uint8Array);
      if (said.kinds[from].at(-1) !== kind) said.kinds[from].push(kind);
      said.bytes[kind] = (said.bytes[kind] ?? 0) + frame.length;
    },
  });
  await joined.settled();
  await end(alice, bob, joined);
  return said;
}

interface Watched {
  kinds: Record<'alice' | 'bob', Message['kind'][]>;
  bytes: Partial<Record<Message['kind'], number>>;
}

async function end(alice: TinyReplica, bob: TinyReplica, joined: Joined): Promise<void> {
  await joined.alice.close();
  expect(await joined.ended).toEqual([undefined, undefined]);
  expect(bob.state).toEqual(alice.state);
  expect(bob.blockCount).toBe(alice.blockCount);
  expect([alice.waitingCount, bob.waitingCount]).toEqual([0, 0]);
}

const diffBytes = ({ bytes }: Watched): number =>
  (bytes.unknown ?? 0) + (bytes.symbols ?? 0) + (bytes.more ?? 0) + (bytes.want ?? 0);

for (const ancestry of [true, false]) {
  const with_ = ancestry ? 'with' : 'without';

  test.each([
    [1, 0],
    [1, 1],
    [10, 30],
    [150, 100],
  ])(
    `a difference of %i and %i blocks costs what it is, not what there is, ${with_} ancestry`,
    async (a, b) => {
      const alice = filled(4000, 'shared', { ancestry });
      const bob = copyOf(alice, { ancestry });
      addTo(alice, a, 'a');
      addTo(bob, b, 'b');
      const said = await watched(alice, bob);
      expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
      if (ancestry && b === 0) return expect(diffBytes(said)).toBeLessThan(150);
      expect(said.bytes.have).toBeUndefined();
      // Twice the summary of about 100 bytes, 2 symbols of 22 a difference at the most, and a wanted key.
      expect(diffBytes(said)).toBeLessThan(900 + (a + b) * 44 + b * 16);
    },
  );
}

test('one turn of symbols and keys is all there is before blocks flow', async () => {
  let single = 0;
  await forSeeds(10, async (random) => {
    const alice = filled(500, 'shared');
    const bob = copyOf(alice);
    addTo(alice, 2 + random.below(60), `a${random.seed}-`);
    addTo(bob, 1, `b${random.seed}-`);
    const { kinds } = await watched(alice, bob);
    // Bob has fewer blocks: he tells, she reads. `stored` may come anywhere after.
    const opening = kinds.bob.filter((kind) => kind !== 'stored').slice(0, 5);
    if (kinds.alice.includes('more')) return;
    expect(opening).toEqual(['hello', 'unknown', 'symbols', 'expect', 'car']);
    expect(kinds.alice.filter((kind) => kind !== 'stored').slice(0, 5)).toEqual([
      'hello',
      'unknown',
      'want',
      'expect',
      'car',
    ]);
    single++;
  });
  expect(single).toBeGreaterThanOrEqual(6);
});

test('a difference too large for the symbols that are kept is read under a salt', async () => {
  const shared = filled(4000, 'shared', { ancestry: false });
  const alice = copyOf(shared, { ancestry: false });
  const bob = copyOf(shared, { ancestry: false });
  addTo(alice, 800, 'a');
  addTo(bob, 500, 'b');
  const salts = new Set<number>();
  const joined = join(alice, bob, {
    onFrame: (frame) => {
      const message = decodeMessage(frame as Uint8Array);
      if (message.kind === 'symbols') salts.add(message.salt.length);
    },
  });
  await joined.settled();
  expect(salts.has(8)).toBe(true);
  expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
  await end(alice, bob, joined);
});

test('strangers list their blocks, which takes less than symbols', async () => {
  const said = await watched(filled(300, 'a'), filled(280, 'b'));
  expect(said.bytes.have).toBeGreaterThan(580 * 32);
  expect(said.bytes.symbols).toBeUndefined();
});

test('a handful of blocks is listed at once', async () => {
  const said = await watched(filled(9, 'a'), filled(8, 'b'));
  expect(said.bytes.have).toBeLessThan(17 * 32 + 100);
  expect(said.bytes.unknown).toBeLessThan(20);
});

test('replicas that find blocks by their keys are asked for them', async () => {
  const alice = new KeepingReplica({ ancestry: false });
  addTo(alice, 2000, 'shared');
  const bob = new KeepingReplica({ ancestry: false });
  await bob.receive(blocksOf(alice));
  addTo(alice, 20, 'a');
  addTo(bob, 30, 'b');
  [alice.passes, bob.passes] = [0, 0];
  await watched(alice, bob);
  expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
  expect([alice.passes, bob.passes]).toEqual([0, 0]);
});

for (const liar of ['teller', 'reader'] as const) {
  const diverged = async (): Promise<[LyingReplica, TinyReplica]> => {
    const lying = new LyingReplica();
    addTo(lying, 300, 'shared');
    const honest = copyOf(lying);
    addTo(lying, 30, 'a');
    addTo(honest, liar === 'teller' ? 40 : 20, 'b');
    return [lying, honest];
  };

  test(`a block that the ${liar}’s sketch hides is found missing in the end, and listed`, async () => {
    const [lying, honest] = await diverged();
    lying.hidden = lying.cids().slice(-10, -5).map(String);
    const said = await watched(lying, honest);
    expect(said.bytes.symbols).toBeGreaterThan(0);
    expect(said.bytes.have).toBeGreaterThan(300 * 32);
  });

  test(`who leaves has given all, whatever the ${liar}’s sketch hides and whenever that is`, async () => {
    for (const leaver of ['alice', 'bob'] as const) {
      let frames = Infinity;
      for (let frame = 1; frame <= frames; frame++) {
        const [lying, honest] = await diverged();
        lying.hidden = lying.cids().slice(-10, -5).map(String);
        frames = 0;
        const joined = join(lying, honest, {
          onFrame: () => {
            if (++frames === frame) queueMicrotask(() => void joined[leaver].close());
          },
        });
        joined.settled().then(
          () => joined[leaver].close(),
          () => {},
        );
        expect(await joined.ended, `${leaver} at frame ${frame}`).toEqual([undefined, undefined]);
        const [from, to] = leaver === 'alice' ? [lying, honest] : [honest, lying];
        expect(from.cids().filter((cid) => !to.has(cid))).toEqual([]);
      }
    }
  });

  test(`blocks that only the ${liar}’s sketch has do no harm`, async () => {
    const [lying, honest] = await diverged();
    lying.invented = Array.from({ length: 5 }, (_, i) => blockOf(encode(`never ${i}`)));
    await watched(lying, honest);
  });

  test(`what a ${liar}’s sketch of noise hides is read under a salt`, async () => {
    const [lying, honest] = await diverged();
    lying.noise = true;
    const said = await watched(lying, honest);
    expect([lying.repeated, honest.repeated]).toEqual([0, 0]);
    expect(said.bytes.have).toBeUndefined();
  });
}

test('two ledgers keep their sketches up to date between meetings', async () => {
  const alice = await openLedger('alice', { storage: 'memory' });
  const bob = await openLedger('bob', { storage: 'memory' });
  for (let i = 0; i < 200; i++) await alice.put({ _id: `shared${i}`, i });
  await bob.import(alice.export());
  for (let meeting = 0; meeting < 3; meeting++) {
    for (let i = 0; i < 12; i++) {
      await alice.put({ _id: `a${meeting}-${i}`, i });
      await bob.put({ _id: `b${meeting}-${i}`, i });
    }
    const lists: number[] = [];
    const joined = join(alice.replica, bob.replica, {
      onFrame: (frame) => {
        if (decodeMessage(frame as Uint8Array).kind === 'have') lists.push(frame.length);
      },
    });
    await joined.settled();
    await joined.alice.close();
    await joined.ended;
    expect(lists).toEqual([]);
    expect(await bob.digest()).toBe(await alice.digest());
    const { size, counts } = await alice.replica.sketch();
    expect(size).toBe(alice.replica.blockCount);
    expect(counts).toEqual((await bob.replica.sketch()).counts);
  }
  await Promise.all([alice.close(), bob.close()]);
});

// --- replicas ---

/** A replica that keeps its sketch and finds blocks by their keys. */
class KeepingReplica extends TinyReplica {
  passes = 0;

  sketch(): Sketch {
    const sketch = new Sketch(0, KEPT_SYMBOLS);
    for (const cid of super.cids()) sketch.add(keyOf(cid));
    return sketch;
  }

  find(keys: Uint8Array): ReturnType<TinyReplica['cids']> {
    const wanted = new Set<string>();
    for (let at = 0; at < keys.length; at += 16) wanted.add(hexOf(keys.subarray(at, at + 16)));
    return super.cids().filter((cid) => wanted.has(hexOf(keyOf(cid).subarray(0, 16))));
  }

  override cids(): ReturnType<TinyReplica['cids']> {
    this.passes++;
    return super.cids();
  }
}

/** A replica whose sketch is not that of its blocks, as if somebody had forged digests. */
class LyingReplica extends TinyReplica {
  hidden: readonly string[] = [];
  invented: readonly Block[] = [];
  noise = false;

  sketch(): Sketch {
    const sketch = new Sketch(0, KEPT_SYMBOLS);
    for (const cid of this.cids()) if (!this.hidden.includes(String(cid))) sketch.add(keyOf(cid));
    for (const { cid } of this.invented) sketch.add(keyOf(cid));
    if (this.noise) sketch.words.fill(12345, 1);
    return sketch;
  }
}

function blocksOf(replica: TinyReplica): Block[] {
  return replica.cids().map((cid) => ({ cid, bytes: replica.getBlock(cid) as Uint8Array }));
}
