import { encode } from '@ipld/dag-cbor';
import * as raw from 'multiformats/codecs/raw';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { sha512 } from 'multiformats/hashes/sha2';
import { describe, expect, test } from 'vitest';
import { blockOf, MAX_BLOCK_BYTES } from '../../src/blocks.ts';
import { BlockError } from '../../src/errors.ts';
import { MAX_PARENTS, MAX_REPLACES } from '../../src/ledger/commit.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { expectedOf } from '../support/oracle.ts';
import { forSeeds, setting } from '../support/random.ts';
import { commitBlock, deleteOf, putOf } from './commits.ts';
import { memoryLedger, texts } from './support.ts';

const FUZZ_RUNS = setting('EMBERLINK_FUZZ_RUNS', 300);

const now = (): number => START_MS;
const writer = Uint8Array.of(1, 2, 3, 4);
const time = START_MS * 256;
const put = ['doc', new Uint8Array(0), { n: 1 }];
const otherCid = blockOf(Uint8Array.of(1)).cid;

function withOperation(...operation: unknown[]): Uint8Array {
  return encode({ data: [1, time, writer, [operation], [1]], parents: [] });
}

function withData(...data: unknown[]): Uint8Array {
  return encode({ data, parents: [] });
}

function withParents(parents: unknown): Uint8Array {
  const dots = [1, ...(Array.isArray(parents) ? parents.map(() => 1) : [])];
  return encode({ data: [1, time, writer, [put], dots], parents });
}

function withDots(...dots: unknown[]): Uint8Array {
  return encode({ data: [1, time, writer, [put], dots], parents: [otherCid] });
}

/** The ledger is as it was, and works. */
async function expectUnharmed(ledger: Ledger, digest: string): Promise<void> {
  expect(await ledger.digest()).toBe(digest);
  expect(ledger.replica.blockCount).toBe(1);
  await ledger.put({ _id: 'after', n: 2 });
  expect(await ledger.get('after')).toEqual({ _id: 'after', n: 2 });
}

describe('a ledger refuses', () => {
  const commit = encode({ data: [1, time, writer, [put], [1]], parents: [] });
  const malformed: [string, Uint8Array][] = [
    ['no bytes', new Uint8Array(0)],
    ['a number', encode(1)],
    ['a list', encode([1, time, writer, [put], [1], []])],
    ['a map without parents', encode({ data: [1, time, writer, [put], [1]] })],
    ['a map without data', encode({ parents: [] })],
    [
      'a map with a third key',
      encode({ also: 1, data: [1, time, writer, [put], [1]], parents: [] }),
    ],
    ['other keys', encode({ date: [1, time, writer, [put]], parents: [] })],
    ['bytes after the commit', Buffer.concat([commit, Uint8Array.of(0)])],
    ['a commit that is cut off', commit.slice(0, -1)],
    ['data that is no list', encode({ data: 1, parents: [] })],
    ['a later version', withData(2, time, writer, [put], [1])],
    ['version zero', withData(0, time, writer, [put], [1])],
    ['a version that is text', withData('1', time, writer, [put], [1])],
    ['data of three parts', withData(1, time, writer)],
    ['data of four parts', withData(1, time, writer, [put])],
    ['data of seven parts', withData(1, time, writer, [put], [1], new Uint8Array(64), 1)],
    ['a time before time', withData(1, -1, writer, [put], [1])],
    ['a time that is no integer', withData(1, 1.5, writer, [put], [1])],
    ['a time beyond all integers', withData(1, 2n ** 60n, writer, [put], [1])],
    ['a writer that is text', withData(1, time, 'me', [put], [1])],
    ['a writer without bytes', withData(1, time, new Uint8Array(0), [put], [1])],
    ['a writer of 65 bytes', withData(1, time, new Uint8Array(65), [put], [1])],
    ['a signature that is text', withData(1, time, writer, [put], [1], 'sig')],
    ['a signature of 129 bytes', withData(1, time, writer, [put], [1], new Uint8Array(129))],
    ['no operations', withData(1, time, writer, [], [1])],
    ['operations that are no list', withData(1, time, writer, { 0: put }, [1])],
    ['two operations on one document', withData(1, time, writer, [put, put], [1])],
    ['an operation that is no list', withData(1, time, writer, ['doc'], [1])],
    ['an operation of one part', withOperation('doc')],
    ['an operation of five parts', withOperation('doc', new Uint8Array(0), {}, ['a'], 1)],
    ['an id that is no text', withOperation(1, new Uint8Array(0), {})],
    ['an id without characters', withOperation('', new Uint8Array(0), {})],
    ['an id of 513 bytes', withOperation('x'.repeat(513), new Uint8Array(0), {})],
    ['an id of 514 bytes of UTF-8', withOperation('é'.repeat(257), new Uint8Array(0), {})],
    ['names that are no bytes', withOperation('doc', [], {})],
    ['half a name', withOperation('doc', new Uint8Array(8), {})],
    ['too many names', withOperation('doc', new Uint8Array(16 * (MAX_REPLACES + 1)), {})],
    ['fields that are no map', withOperation('doc', new Uint8Array(0), [1])],
    ['a field called _id', withOperation('doc', new Uint8Array(0), { _id: 'other' })],
    ['fields to unset that are no list', withOperation('doc', new Uint8Array(0), {}, 'a')],
    ['an empty list of fields to unset', withOperation('doc', new Uint8Array(0), {}, [])],
    ['a field to unset that is no text', withOperation('doc', new Uint8Array(0), {}, [1])],
    ['a field to unset twice', withOperation('doc', new Uint8Array(0), {}, ['a', 'a'])],
    ['a field to set and unset', withOperation('doc', new Uint8Array(0), { a: 1 }, ['a'])],
    ['_id as a field to unset', withOperation('doc', new Uint8Array(0), {}, ['_id'])],
    ['__proto__ as a field to unset', withOperation('doc', new Uint8Array(0), {}, ['__proto__'])],
    ['no dots', withDots()],
    ['fewer dots than parents', withDots(1)],
    ['more dots than parents', withDots(2, 1, 1)],
    ['a sequence number of zero', withDots(0, 1)],
    ['a sequence number of 33 bits', withDots(2 ** 32, 1)],
    ['a dot that is text', withDots(2, 'dot')],
    ['a dot without a writer', withDots(2, [new Uint8Array(0), 1])],
    ["a dot that names the commit's own writer", withDots(2, [writer, 1])],
    ['parents that are no list', withParents({})],
    ['a parent that is no link', withParents([otherCid.toString()])],
    ['a parent of another codec', withParents([CID.createV1(raw.code, otherCid.multihash)])],
    ['one parent twice', withParents([otherCid, otherCid])],
    ['parents out of order', withParents(outOfOrder())],
    ['too many parents', withParents(manyCids(MAX_PARENTS + 1))],
  ];

  test.each(malformed)('%s', async (_, bytes) => {
    const alice = await memoryLedger('alice', { now });
    await alice.put({ _id: 'before', n: 1 });
    const digest = await alice.digest();
    const block = blockOf(bytes);
    await expect(alice.replica.receive([block])).rejects.toMatchObject({
      name: 'BlockError',
      code: 'malformed-commit',
    });
    expect(alice.replica.has(block.cid)).toBe(false);
    await expectUnharmed(alice, digest);
  });

  test('a commit of more than 2 MiB', async () => {
    const alice = await memoryLedger('alice', { now });
    const bytes = withOperation('doc', new Uint8Array(0), { b: new Uint8Array(MAX_BLOCK_BYTES) });
    await expect(alice.replica.receive([blockOf(bytes)])).rejects.toMatchObject({
      code: 'block-too-large',
    });
    expect(alice.replica.blockCount).toBe(0);
  });

  test('a block that is no dag-cbor, or of another hash', async () => {
    const alice = await memoryLedger('alice', { now });
    const digest = await sha512.digest(commit);
    for (const cid of [
      CID.createV1(raw.code, blockOf(commit).cid.multihash),
      CID.createV1(0x71, digest),
      CID.createV0(createDigest(0x12, blockOf(commit).cid.multihash.digest)),
    ]) {
      await expect(alice.replica.receive([{ cid, bytes: commit }])).rejects.toMatchObject({
        name: 'BlockError',
        code: 'unsupported-cid',
      });
    }
    expect(alice.clock).toEqual([]);
  });

  test('a commit that supersedes one that is not there', async () => {
    const alice = await memoryLedger('alice', { now });
    await alice.put({ _id: 'before', n: 1 });
    const digest = await alice.digest();
    for (const operation of [
      putOf('before', { n: 2 }, [otherCid]),
      deleteOf('before', [otherCid]),
    ]) {
      const block = commitBlock({ timeMs: START_MS, operations: [operation] });
      await expect(alice.replica.receive([block])).rejects.toMatchObject({
        name: 'BlockError',
        code: 'impossible-replaces',
      });
    }
    await expectUnharmed(alice, digest);
  });

  test('what comes behind a bad block, and keeps what came before it', async () => {
    const alice = await memoryLedger('alice', { now });
    const [first, second] = ['first', 'second'].map((id) =>
      commitBlock({ timeMs: START_MS, operations: [putOf(id, {})] }),
    );
    const bad = blockOf(encode('bad'));
    await expect(alice.replica.receive([first!, bad, second!])).rejects.toThrow(BlockError);
    expect((await alice.allDocs()).rows.map(({ id }) => id)).toEqual(['first']);
    expect(alice.replica.has(second!.cid)).toBe(false);
  });
});

describe('a ledger takes', () => {
  test('a commit with a signature, and one without names or fields', async () => {
    const alice = await memoryLedger('alice', { now });
    await alice.replica.receive([
      blockOf(withData(1, time, writer, [put], [1], new Uint8Array(64))),
      blockOf(withOperation('empty', new Uint8Array(0), {})),
      blockOf(withOperation('deleted', new Uint8Array(0))),
    ]);
    expect((await alice.allDocs()).rows.map(({ doc }) => doc)).toEqual([
      { _id: 'doc', n: 1 },
      { _id: 'empty' },
    ]);
  });

  test('more heads than a commit may name, and joins them by and by', async () => {
    const alice = await memoryLedger('alice', { now });
    const heads = MAX_PARENTS + 100;
    await alice.replica.receive(
      Array.from({ length: heads }, (_, n) =>
        commitBlock({ timeMs: START_MS, operations: [putOf('doc', { [`f${n}`]: n })] }),
      ),
    );
    expect(alice.clock).toHaveLength(heads);
    await alice.put({ _id: 'one' });
    expect(alice.clock).toHaveLength(101);
    await alice.put({ _id: 'two' });
    expect(alice.clock).toHaveLength(1);
    expect(Object.keys((await alice.get('doc'))!)).toHaveLength(heads + 1);
  });

  test('more versions of a document than an operation may name, which can be deleted still', async () => {
    const alice = await memoryLedger('alice', { now });
    await alice.replica.receive(
      Array.from({ length: MAX_REPLACES + 10 }, (_, n) =>
        commitBlock({ timeMs: START_MS, operations: [putOf('doc', { n })] }),
      ),
    );
    await alice.del('doc');
    await alice.del('doc');
    expect(await alice.get('doc')).toBeUndefined();
    await alice.put({ _id: 'doc', n: -1 });
    await alice.put({ _id: 'doc', n: -2 });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', n: -2 });
    expect(await alice.conflicts('doc')).toEqual([]);
    expect(await alice.verify()).toMatchObject({ corrupt: [], stateMatches: true });
  });
});

test(
  'random bytes and commits changed at random never break a ledger',
  async () => {
    await forSeeds(FUZZ_RUNS, async (random) => {
      const files: MemoryFiles = new Map();
      const alice = await openLedger('alice', { storage: new MemoryPlace(files), now });
      await alice.put({ _id: 'a', n: 1, text: 'one' });
      await Promise.all([alice.put({ _id: 'a', n: 2 }), alice.put({ _id: 'b', list: [1, {}] })]);
      await alice.del('a');
      const good = await blocksOf(alice);
      for (let attempt = 0; attempt < 40; attempt++) {
        const block = blockOf(
          random.oneIn(10) ? random.bytes(random.below(200)) : mutated(random.pick(good).bytes),
        );
        const digest = await alice.digest();
        const { blockCount } = alice.replica;
        try {
          await alice.replica.receive([block]);
          if (!good.some(({ cid }) => cid.equals(block.cid))) good.push(block);
        } catch (error) {
          if (!(error instanceof BlockError)) throw error;
          expect(await alice.digest()).toBe(digest);
          expect(alice.replica.blockCount).toBe(blockCount);
        }
      }
      await expectSound(alice);
      await alice.close();
      files.delete('index');
      const again = await openLedger('alice', { storage: new MemoryPlace(files), now });
      await expectSound(again);
      await again.put({ _id: 'after', n: 1 });
      await again.close();

      function mutated(bytes: Uint8Array): Uint8Array {
        const changed = bytes.slice();
        for (let changes = 1 + random.below(2); changes > 0; changes--) {
          changed[random.below(changed.length)] = random.below(256);
        }
        return random.oneIn(10) ? changed.slice(0, random.below(changed.length)) : changed;
      }
    });
  },
  60_000 + FUZZ_RUNS * 1000,
);

async function expectSound(ledger: Ledger): Promise<void> {
  const expected = expectedOf(await blocksOf(ledger));
  expect(texts(ledger.clock)).toEqual(expected.clock);
  const { rows } = await ledger.allDocs();
  expect(new Map(rows.map(({ id, doc }) => [id, doc as object]))).toEqual(expected.documents);
  for (const id of expected.writings.keys()) await ledger.conflicts(id);
  expect(await ledger.verify()).toMatchObject({ corrupt: [], stateMatches: true });
}

function manyCids(count: number): CID[] {
  const cids = Array.from({ length: count }, (_, n) => blockOf(encode(n)).cid);
  return cids.sort((a, b) => Buffer.compare(a.multihash.digest, b.multihash.digest));
}

function outOfOrder(): CID[] {
  return manyCids(2).reverse();
}
