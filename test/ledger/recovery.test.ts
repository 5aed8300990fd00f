import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StorageError } from '../../src/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { blocksOf } from '../support/history.ts';
import { commitBlock, putOf } from './commits.ts';
import { memoryLedger, texts } from './support.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SEGMENT = 'log-00000001.car';

/** A ledger of some commits, closed; what its folder held after each of them. */
interface Written {
  readonly folder: string;
  /** Sizes of the first segment after each commit. */
  readonly sizes: readonly number[];
  readonly digests: readonly string[];
  readonly blocks: Awaited<ReturnType<typeof blocksOf>>;
}

async function write(commits: number, options: LedgerOptions = {}): Promise<Written> {
  const folder = temporaryFolder();
  const alice = await openLedger('alice', { folder, ...options });
  const sizes: number[] = [];
  const digests: string[] = [];
  for (let n = 0; n < commits; n++) {
    await alice.put({ _id: `doc ${n % 4}`, n, text: `version ${n}`, [`f${n}`]: true });
    sizes.push(statSync(join(folder, 'alice', SEGMENT)).size);
    digests.push(await alice.digest());
  }
  const blocks = await blocksOf(alice);
  await alice.close();
  return { folder, sizes, digests, blocks };
}

function open(folder: string, options: LedgerOptions = {}): Promise<Ledger> {
  return openLedger('alice', { folder, ...options });
}

function file(folder: string, name: string): string {
  return join(folder, 'alice', name);
}

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset]! ^= 0x55;
  writeFileSync(path, bytes);
}

describe('a log that is cut off', () => {
  test('at any byte of the last commits is what it was after the last whole one', async () => {
    const { folder, sizes, digests } = await write(8);
    const copy = temporaryFolder();
    for (let size = sizes[5]!; size <= sizes[7]!; size++) {
      cpSync(folder, copy, { recursive: true });
      truncateSync(file(copy, SEGMENT), size);
      const whole = sizes.filter((after) => after <= size).length - 1;
      const alice = await open(copy);
      expect(await alice.digest()).toBe(digests[whole]);
      const length = size - sizes[whole]!;
      expect(alice.recovery.damage).toEqual(
        length === 0
          ? []
          : [{ kind: 'torn-tail', segment: SEGMENT, offset: sizes[whole]!, length }],
      );
      await alice.put({ _id: 'after', size });
      await alice.close();

      const again = await open(copy);
      expect(again.recovery.damage).toEqual([]);
      expect(await again.get('after')).toEqual({ _id: 'after', size });
      expect(await again.verify()).toMatchObject({ commits: whole + 2, stateMatches: true });
      await again.close();
      rmSync(copy, { recursive: true });
    }
  }, 120_000);

  test('before its first commit is an empty ledger', async () => {
    const { folder, sizes } = await write(1);
    for (const size of [0, 1, 20, sizes[0]! - 1]) {
      truncateSync(file(folder, SEGMENT), size);
      const alice = await open(folder);
      expect(alice.clock).toEqual([]);
      await alice.put({ _id: 'after', size });
      await alice.close();
      const again = await open(folder);
      expect(await again.get('after')).toEqual({ _id: 'after', size });
      await again.destroy();
      cpSync((await write(1)).folder, folder, { recursive: true });
    }
  });
});

describe('a commit that rotted in the log', () => {
  test('is told of at opening, the rest is there, and a peer brings it back', async () => {
    const { folder, sizes, digests, blocks } = await write(8);
    rmSync(file(folder, 'index'));
    flip(file(folder, SEGMENT), sizes[3]! - 10);
    const alice = await open(folder);
    expect(alice.recovery).toEqual({
      damage: [
        {
          kind: 'corrupt-block',
          segment: SEGMENT,
          offset: sizes[2]!,
          length: sizes[3]! - sizes[2]!,
        },
      ],
      missing: [blocks[3]!.cid],
      unreadable: [],
      rejected: [],
    });
    expect(alice.replica.has(blocks[3]!.cid)).toBe(false);
    expect(alice.replica.blockCount).toBe(7);
    expect(await alice.get('doc 3')).toEqual({ _id: 'doc 3', n: 7, text: 'version 7', f7: true });
    // The parent of what is lost has no child here any more.
    expect(texts(alice.clock).sort()).toEqual(texts([blocks[2]!.cid, blocks[7]!.cid]).sort());

    // Neither a restart nor what is written meanwhile makes it forget.
    await alice.put({ _id: 'meanwhile' });
    await alice.close();
    const again = await open(folder);
    expect(texts(again.recovery.missing)).toEqual(texts([blocks[3]!.cid]));
    await again.replica.receive(blocks);
    expect(again.recovery.missing).toEqual([]);
    expect(await again.verify()).toMatchObject({ commits: 9, corrupt: [], stateMatches: true });
    await again.del('meanwhile');
    const bob = await memoryLedger('bob');
    await bob.replica.receive(blocks);
    expect(await bob.digest()).toBe(digests[7]);
    await bob.replica.receive(await blocksOf(again));
    expect(await again.digest()).toBe(await bob.digest());
    const healed = await again.digest();
    await again.close();

    const after = await open(folder);
    expect(after.recovery.missing).toEqual([]);
    expect(await after.digest()).toBe(healed);
    await after.close();
  });

  test('comes back from a peer though the process ends right then', async () => {
    const { folder, sizes, digests, blocks } = await write(8);
    rmSync(file(folder, 'index'));
    flip(file(folder, SEGMENT), sizes[3]! - 10);
    await (await open(folder)).close();
    const alice = await open(folder);
    await alice.replica.receive(blocks);
    // What a process that is killed now would leave behind.
    const copy = temporaryFolder();
    mkdirSync(join(copy, 'alice'));
    for (const name of readdirSync(join(folder, 'alice'))) {
      if (!name.startsWith('lock')) cpSync(file(folder, name), file(copy, name));
    }
    await alice.close();
    const killed = await open(copy);
    expect(killed.recovery.missing).toEqual([]);
    expect(await killed.digest()).toBe(digests[7]);
    await killed.close();
  });

  test('is found by the first read of it when the index was saved; later reads do without', async () => {
    const { folder, sizes, digests, blocks } = await write(8);
    flip(file(folder, SEGMENT), sizes[7]! - 10);
    const alice = await open(folder);
    expect(alice.recovery.damage).toEqual([]);
    expect(await alice.get('doc 2')).toEqual({ _id: 'doc 2', n: 6, text: 'version 6', f6: true });
    const error = await alice.get('doc 3').catch((reason: unknown) => reason as StorageError);
    expect(error).toMatchObject({ name: 'StorageError', code: 'corrupt', segment: SEGMENT });
    expect((error as StorageError).offset).toBeGreaterThan(sizes[6]!);
    expect((error as StorageError).offset).toBeLessThan(sizes[7]!);
    expect(await alice.get('doc 3')).toMatchObject({ n: 3 });
    expect(alice.recovery.damage.length).toBeGreaterThan(0);
    expect(await alice.digest()).toBe(digests[6]);

    await alice.put({ _id: 'after' });
    await alice.replica.receive(blocks);
    expect(await alice.get('doc 3')).toMatchObject({ n: 7 });
    expect(await alice.verify()).toMatchObject({ corrupt: [], stateMatches: true });
    await alice.close();
    const again = await open(folder);
    expect(await again.get('doc 3')).toMatchObject({ n: 7 });
    await again.close();
  });

  test.each([
    'allDocs',
    'query',
    'history',
    'conflicts',
    'changes',
    'digest',
    'at',
    'put',
    'export',
  ])('fails one call of %s, and then no more', async (method) => {
    const { folder, sizes } = await write(8);
    flip(file(folder, SEGMENT), sizes[3]! - 10);
    const alice = await open(folder, { cacheBytes: 0 });
    const call = async (): Promise<unknown> => {
      switch (method) {
        case 'allDocs':
          return alice.allDocs();
        case 'query':
          return alice.query('f3');
        case 'history':
          return alice.history('doc 3');
        case 'conflicts':
          return alice.conflicts('doc 3');
        case 'changes':
          return alice.changes();
        case 'digest':
          return alice.digest();
        case 'at':
          return alice.at(alice.clock).get('doc 3');
        case 'put':
          return alice.put({ _id: 'doc 3', n: 100 });
        default: {
          const chunks: Uint8Array[] = [];
          for await (const chunk of alice.export()) chunks.push(chunk);
          return chunks;
        }
      }
    };
    await expect(call()).rejects.toMatchObject({ name: 'StorageError', code: 'corrupt' });
    await call();
    await alice.close();
  });
});

describe('the saved index', () => {
  const spoil: [string, (folder: string, older: string) => void][] = [
    ['is missing', (folder) => rmSync(file(folder, 'index'))],
    ['is empty', (folder) => writeFileSync(file(folder, 'index'), '')],
    ['is nonsense', (folder) => writeFileSync(file(folder, 'index'), 'x'.repeat(1000))],
    ['has a wrong byte', (folder) => flip(file(folder, 'index'), 100)],
    ['is cut off', (folder) => truncateSync(file(folder, 'index'), 200)],
    [
      'is of an earlier time',
      (folder, older) => cpSync(file(older, 'index'), file(folder, 'index')),
    ],
  ];

  test.each(spoil)('changes nothing when it %s', async (_, spoilIndex) => {
    const older = temporaryFolder();
    const { folder } = await write(5, { segmentBytes: 300 });
    cpSync(folder, older, { recursive: true });
    const alice = await open(folder, { segmentBytes: 300 });
    await alice.put({ _id: 'doc 1', text: 'later' });
    await alice.del('doc 2');
    const digest = await alice.digest();
    const docs = await alice.allDocs();
    await alice.close();
    expect(existsSync(file(folder, 'index'))).toBe(true);
    spoilIndex(folder, older);
    const again = await open(folder, { segmentBytes: 300 });
    expect(await again.allDocs()).toEqual(docs);
    expect(await again.digest()).toBe(digest);
    expect(again.recovery.damage).toEqual([]);
    await again.close();
  });

  test('is not believed when the log is shorter than it says', async () => {
    const { folder, sizes, digests } = await write(5);
    truncateSync(file(folder, SEGMENT), sizes[2]!);
    const alice = await open(folder);
    expect(await alice.digest()).toBe(digests[2]);
    await alice.close();
  });

  test('is not believed when a segment is gone', async () => {
    const { folder, blocks } = await write(8, { segmentBytes: 1 });
    rmSync(file(folder, 'log-00000003.car'));
    const alice = await open(folder, { segmentBytes: 1 });
    expect(texts(alice.recovery.missing)).toEqual(texts([blocks[2]!.cid]));
    expect(alice.count()).toBe(4);
    await alice.close();
  });
});

test('commits that wait survive when one of them rots', async () => {
  const folder = temporaryFolder();
  const parent = commitBlock({ timeMs: 1, operations: [putOf('parent', {})] });
  const children = [1, 2, 3].map((n) =>
    commitBlock({ parents: [parent.cid], timeMs: 2, operations: [putOf(`child ${n}`, {})] }),
  );
  const alice = await open(folder);
  for (const child of children) await alice.replica.receive([child]);
  await alice.close();
  const path = file(folder, 'parked-00000001.car');
  flip(path, readFileSync(path).indexOf('child 2'));
  const again = await open(folder);
  expect(again.recovery.damage).toMatchObject([
    { kind: 'corrupt-block', segment: 'parked-00000001.car' },
  ]);
  await again.replica.receive([parent]);
  const ids = async (): Promise<string[]> => (await again.allDocs()).rows.map(({ id }) => id);
  expect(await ids()).toEqual(['child 1', 'child 3', 'parent']);
  await again.replica.receive(children);
  expect(await ids()).toEqual(['child 1', 'child 2', 'child 3', 'parent']);
  await again.close();
});
