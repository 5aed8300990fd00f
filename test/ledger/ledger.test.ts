import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CID } from 'multiformats/cid';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Change, Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { exchange, memoryLedger, texts } from './support.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('put', () => {
  test('resolves when the document can be read, with the clock that has it', async () => {
    const alice = await memoryLedger('alice');
    const first = await alice.put({ _id: 'doc', n: 1 });
    expect(first).toEqual({ id: 'doc', clock: alice.clock });
    expect(first.clock).toHaveLength(1);
    expect(await alice.get('doc')).toEqual({ _id: 'doc', n: 1 });
    const second = await alice.put({ _id: 'doc', n: 2 });
    expect(texts(second.clock)).not.toEqual(texts(first.clock));
    expect(await alice.get('nobody')).toBeUndefined();
  });

  test('of an unchanged document writes nothing', async () => {
    const alice = await memoryLedger('alice');
    const document = { _id: 'doc', b: { y: [1], x: 2 }, a: 'text' };
    const { clock } = await alice.put(document);
    const again = await alice.put({ a: 'text', b: { x: 2, y: [1] }, _id: 'doc' });
    expect(again.clock).toEqual(clock);
    await alice.bulk([document, document]);
    expect(alice.clock).toEqual(clock);
    expect(await alice.history('doc')).toHaveLength(1);
  });

  test('writes the fields that changed and no others', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS });
    await alice.put({ _id: 'doc', same: 'x'.repeat(5000), changes: 1, goes: true });
    const before = alice.clock;
    await alice.put({ _id: 'doc', same: 'x'.repeat(5000), changes: 2, comes: [] });
    const history = await alice.history('doc');
    expect(history).toEqual([
      {
        commit: before[0],
        time: START_MS,
        writer: alice.writer,
        deleted: false,
        set: { same: 'x'.repeat(5000), changes: 1, goes: true },
        unset: [],
      },
      {
        commit: alice.clock[0],
        time: START_MS,
        writer: alice.writer,
        deleted: false,
        set: { changes: 2, comes: [] },
        unset: ['goes'],
      },
    ]);
    const block = await alice.replica.getBlock(alice.clock[0]!);
    expect(block!.length).toBeLessThan(150);
  });

  test('of many documents in one tick makes one commit', async () => {
    const alice = await memoryLedger('alice');
    const changes: Change[] = [];
    alice.subscribe((change) => changes.push(change));
    await Promise.all([
      alice.put({ _id: 'a', n: 1 }),
      alice.put({ _id: 'b', n: 2 }),
      alice.del('c'),
      alice.put({ _id: 'a', n: 3 }),
    ]);
    expect(alice.replica.blockCount).toBe(1);
    expect(changes).toEqual([{ ids: ['a', 'b'], clock: alice.clock, origin: 'local' }]);
    expect(await alice.get('a')).toEqual({ _id: 'a', n: 3 });
  });

  test('of much in one tick makes several commits of bounded size', async () => {
    const alice = await memoryLedger('alice');
    const documents = Array.from({ length: 300 }, (_, n) => ({
      _id: `doc ${n}`,
      text: 'x'.repeat(1000),
    }));
    await Promise.all(documents.map((document) => alice.put(document)));
    await alice.bulk(documents.map((document) => ({ ...document, more: 1 })));
    expect(alice.count()).toBe(300);
    expect(alice.clock).toHaveLength(1);
    for await (const cid of alice.replica.cids()) {
      expect((await alice.replica.getBlock(cid))!.length).toBeLessThan(66_000);
    }
  });

  test('is there for the next opener when it has resolved and the ledger is closed', async () => {
    const folder = temporaryFolder();
    for (const durability of ['relaxed', 'strict'] as const) {
      const alice = await openLedger(durability, { folder, durability });
      await alice.put({ _id: 'doc', n: 1 });
      const { clock, writer } = alice;
      await alice.close();
      const again = await openLedger(durability, { folder, durability });
      expect(await again.get('doc')).toEqual({ _id: 'doc', n: 1 });
      expect(texts(again.clock)).toEqual(texts(clock));
      // The same ledger, another opening.
      expect(again.writer.slice(0, 16)).toBe(writer.slice(0, 16));
      expect(again.writer).not.toBe(writer);
      await again.close();
    }
  });
});

describe('bulk', () => {
  test('takes any iterable, and of several with one id the last', async () => {
    const alice = await memoryLedger('alice');
    function* documents(): Generator<{ _id: string; n: number }> {
      for (let n = 0; n < 1000; n++) yield { _id: `${n % 400}`, n };
    }
    const { ids, clock } = await alice.bulk(documents());
    expect(ids).toHaveLength(1000);
    expect(clock).toEqual(alice.clock);
    expect(alice.count()).toBe(400);
    expect(await alice.get('5')).toEqual({ _id: '5', n: 805 });
    expect((await alice.bulk([])).clock).toEqual(clock);
  });
});

describe('allDocs', () => {
  const names = ['a', 'ab', 'abc', 'b', 'ba', 'Z', '\uffff', '🌍'];

  async function idsBy(options: Parameters<Ledger['allDocs']>[0]): Promise<string[]> {
    const alice = await memoryLedger('alice');
    await alice.bulk(names.map((_id, n) => ({ _id, n })));
    await alice.put({ _id: 'abd' });
    await alice.del('abd');
    const { rows, clock } = await alice.allDocs(options);
    expect(clock).toEqual(alice.clock);
    for (const { id, doc } of rows) expect(doc).toEqual({ _id: id, n: names.indexOf(id) });
    return rows.map(({ id }) => id);
  }

  test.each([
    ['all, in order of UTF-16', {}, [...names].sort()],
    ['all backwards', { descending: true }, [...names].sort().reverse()],
    ['by prefix', { prefix: 'ab' }, ['ab', 'abc']],
    ['by prefix backwards', { prefix: 'a', descending: true }, ['abc', 'ab', 'a']],
    ['by a prefix that none has', { prefix: 'x' }, []],
    ['by the greatest prefix', { prefix: '\uffff' }, ['\uffff']],
    ['by range, both ends included', { range: ['ab', 'b'] as const }, ['ab', 'abc', 'b']],
    ['by range backwards', { range: ['ab', 'b'] as const, descending: true }, ['b', 'abc', 'ab']],
    ['by keys, in their order', { keys: ['b', 'abd', 'x', 'a'] }, ['b', 'a']],
    ['the first two', { limit: 2 }, ['Z', 'a']],
    ['the last two', { limit: 2, descending: true }, ['\uffff', '🌍']],
    ['two of the keys', { keys: ['x', 'b', 'a', 'Z'], limit: 2 }, ['b', 'a']],
    ['none', { limit: 0 }, []],
  ])('gives %s', async (_, options, expected) => {
    expect(await idsBy(options)).toEqual(expected);
  });

  test('refuses a limit that is none, and prefix and range at once', async () => {
    const alice = await memoryLedger('alice');
    for (const options of [{ limit: -1 }, { limit: NaN }, { prefix: 'a', keys: ['a'] }]) {
      await expect(alice.allDocs(options)).rejects.toMatchObject({
        name: 'LedgerError',
        code: 'invalid-option',
      });
    }
  });

  test('stays in order while documents come and go', async () => {
    const alice = await memoryLedger('alice');
    await alice.allDocs();
    const expected = new Set<string>();
    for (let n = 0; n < 2000; n++) {
      const id = `${(n * 7919) % 1500}`;
      if (n % 5 === 4) await alice.del(id);
      else await alice.put({ _id: id, n });
      if (n % 5 === 4) expected.delete(id);
      else expected.add(id);
    }
    const { rows } = await alice.allDocs();
    expect(rows.map(({ id }) => id)).toEqual([...expected].sort());
  });
});

describe('changes', () => {
  test('since a clock gives each document changed after it once, deleted ones without', async () => {
    const alice = await memoryLedger('alice');
    await alice.bulk([{ _id: 'a' }, { _id: 'b' }, { _id: 'c' }]);
    const first = await alice.changes();
    expect(first.rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect((await alice.changes(first.clock)).rows).toEqual([]);
    await alice.put({ _id: 'b', n: 1 });
    await alice.put({ _id: 'b', n: 2 });
    await alice.del('a');
    const bob = await memoryLedger('bob');
    await bob.put({ _id: 'd' });
    await exchange(alice, bob);
    const second = await alice.changes(first.clock);
    expect(second).toEqual({
      rows: [
        { id: 'a', doc: undefined },
        { id: 'b', doc: { _id: 'b', n: 2 } },
        { id: 'd', doc: { _id: 'd' } },
      ],
      clock: alice.clock,
    });
    expect((await bob.changes(second.clock)).rows).toEqual([]);
  });

  test('since a clock that nobody here has passed is refused, as is looking at it', async () => {
    const alice = await memoryLedger('alice');
    const bob = await memoryLedger('bob');
    const { clock } = await bob.put({ _id: 'doc' });
    const refusal = { name: 'LedgerError', code: 'unknown-clock' };
    await expect(alice.changes(clock)).rejects.toMatchObject(refusal);
    const look = async (): Promise<unknown> => alice.at(clock).get('a');
    await expect(look()).rejects.toMatchObject(refusal);
  });
});

describe('commits', () => {
  test('tell who wrote which fields of which documents, parents before children', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS });
    await Promise.all([alice.put({ _id: 'a', x: 1, y: 1 }), alice.put({ _id: 'b' })]);
    const first = alice.clock;
    await Promise.all([alice.put({ _id: 'a', y: 2, z: 2 }), alice.del('b')]);
    const bytes = async (cid: CID): Promise<number> => (await alice.replica.getBlock(cid))!.length;
    const entry = { writer: alice.writer, time: START_MS };
    expect(await alice.commits()).toEqual([
      {
        ...entry,
        cid: first[0],
        parents: [],
        bytes: await bytes(first[0]!),
        operations: [
          { id: 'a', kind: 'put', fields: ['x', 'y'] },
          { id: 'b', kind: 'put', fields: [] },
        ],
      },
      {
        ...entry,
        cid: alice.clock[0],
        parents: first,
        bytes: await bytes(alice.clock[0]!),
        operations: [
          { id: 'a', kind: 'put', fields: ['y', 'z', 'x'] },
          { id: 'b', kind: 'delete', fields: [] },
        ],
      },
    ]);
    expect(await alice.commits({ since: alice.clock })).toEqual([]);
  });

  test('of a limit are the newest, though they were written elsewhere and came first', async () => {
    const [alice, bob] = [
      await memoryLedger('alice', { now: () => START_MS + 1000 }),
      await memoryLedger('bob', { now: () => START_MS }),
    ];
    for (let n = 0; n < 3; n++) await alice.put({ _id: 'a', n });
    for (let n = 0; n < 3; n++) await bob.put({ _id: 'b', n });
    await exchange(alice, bob);
    for (const ledger of [alice, bob]) {
      const newest = await ledger.commits({ limit: 4 });
      expect(newest.map(({ writer }) => writer)).toEqual([
        bob.writer,
        ...Array.from({ length: 3 }, () => alice.writer),
      ]);
      expect(await ledger.commits({ limit: 0 })).toEqual([]);
    }
    await expect(alice.commits({ limit: -1 })).rejects.toMatchObject({ code: 'invalid-option' });
  });

  test('since a clock that is not known here are refused', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const { clock: since } = await bob.put({ _id: 'doc' });
    await expect(alice.commits({ since })).rejects.toMatchObject({ code: 'unknown-clock' });
  });

  test('that came before a snapshot are not told, those after it are', async () => {
    const alice = await memoryLedger('alice', { recentBytes: 0 });
    const { clock: lost } = await alice.put({ _id: 'a', n: 0 });
    for (let n = 1; n < 10; n++) await alice.put({ _id: 'a', n });
    await alice.compact();
    const since = alice.clock;
    expect(await alice.commits()).toEqual([]);
    await alice.put({ _id: 'a', n: 10 });
    const told = await alice.commits({ since });
    expect(told).toMatchObject([{ cid: alice.clock[0], parents: since }]);
    expect(await alice.commits()).toEqual(told);
    await expect(alice.commits({ since: lost })).rejects.toMatchObject({ code: 'unknown-clock' });
  });
});

describe('usage', () => {
  test('tells what is stored, with what waits for its parents', async () => {
    const alice = await memoryLedger('alice');
    expect(alice.usage()).toEqual({ commits: 0, documents: 0, storedBytes: 0 });
    await alice.put({ _id: 'a', text: 'x'.repeat(5000) });
    await alice.put({ _id: 'a', text: '' });
    await alice.put({ _id: 'b' });
    await alice.del('b');
    const { storedBytes, ...counts } = alice.usage();
    expect(counts).toEqual({ commits: 4, documents: 1 });
    expect(storedBytes).toBeGreaterThan(5000);
    expect(storedBytes).toBeLessThan(7000);
    const bob = await memoryLedger('bob');
    await bob.replica.receive((await blocksOf(alice)).slice(0, 1));
    const one = bob.usage();
    expect(one).toMatchObject({ commits: 1, documents: 1 });
    await bob.replica.receive((await blocksOf(alice)).slice(2));
    expect(bob.usage()).toMatchObject({ commits: 1, documents: 1 });
    expect(bob.usage().storedBytes).toBeGreaterThan(one.storedBytes + 100);
  });

  test('of a ledger that was opened again is what its files have', async () => {
    const folder = temporaryFolder();
    const alice = await openLedger('alice', { folder, segmentBytes: 1000 });
    for (let n = 0; n < 50; n++) await alice.put({ _id: `${n}`, n });
    const usage = alice.usage();
    await alice.close();
    const files = readdirSync(join(folder, 'alice')).filter((name) => name.endsWith('.car'));
    expect(files.length).toBeGreaterThan(3);
    const sizes = files.map((name) => statSync(join(folder, 'alice', name)).size);
    expect(usage.storedBytes).toBe(sizes.reduce((sum, size) => sum + size));
    const again = await openLedger('alice', { folder });
    expect(again.usage()).toEqual(usage);
    await again.close();
  });
});

describe('subscribe', () => {
  test('tells of local and remote changes until it is ended', async () => {
    const alice = await memoryLedger('alice');
    const bob = await memoryLedger('bob');
    await bob.bulk([{ _id: 'x' }, { _id: 'y' }]);
    const changes: Change[] = [];
    const unsubscribe = alice.subscribe((change) => changes.push(change));
    await alice.put({ _id: 'a' });
    const after = alice.clock;
    await exchange(bob, alice);
    await exchange(bob, alice);
    expect(changes).toEqual([
      { ids: ['a'], clock: after, origin: 'local' },
      { ids: ['x', 'y'], clock: alice.clock, origin: 'remote' },
    ]);
    unsubscribe();
    unsubscribe();
    await alice.put({ _id: 'b' });
    expect(changes).toHaveLength(2);
  });

  test('shows what a listener reads at once: the change is in', async () => {
    const alice = await memoryLedger('alice');
    const seen: unknown[] = [];
    alice.subscribe(() => {
      seen.push(alice.get('doc'));
    });
    await alice.put({ _id: 'doc', n: 1 });
    await alice.put({ _id: 'doc', n: 2 });
    expect(await Promise.all(seen)).toMatchObject([{ n: 1 }, { n: 2 }]);
  });

  test('lets a listener write', async () => {
    const alice = await memoryLedger('alice');
    const echoed = new Promise<void>((resolve) => {
      alice.subscribe(({ ids }) => {
        if (ids[0] === 'echo') resolve();
        else alice.put({ _id: 'echo' }).catch(() => expect.unreachable());
      });
    });
    await alice.put({ _id: 'call' });
    await echoed;
    expect(alice.count()).toBe(2);
  });

  test('keeps a listener that throws from harming the write and other listeners', async () => {
    const thrown = catchUncaught();
    const alice = await memoryLedger('alice');
    const heard: string[] = [];
    alice.subscribe(() => {
      throw new RangeError('of the listener');
    });
    alice.replica.watch(() => {
      throw new RangeError('of the watcher');
    });
    alice.subscribe(({ ids }) => heard.push(...ids));
    await alice.put({ _id: 'a' });
    await alice.put({ _id: 'b' });
    expect(heard).toEqual(['a', 'b']);
    expect(alice.count()).toBe(2);
    expect((await thrown(4)).sort()).toEqual([
      'of the listener',
      'of the listener',
      'of the watcher',
      'of the watcher',
    ]);
  });
});

describe('the past', () => {
  test('can be read like the present', async () => {
    const alice = await memoryLedger('alice');
    await alice.bulk([
      { _id: 'a', n: 1 },
      { _id: 'b', n: 2 },
    ]);
    const { clock } = alice;
    await alice.put({ _id: 'a', n: 10 });
    await alice.del('b');
    await alice.put({ _id: 'c', n: 3 });
    const past = alice.at(clock);
    expect(past.clock).toEqual(clock);
    expect(await past.get('a')).toEqual({ _id: 'a', n: 1 });
    expect((await past.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect((await past.query('n', { range: [2, 9] })).rows).toMatchObject([{ id: 'b', key: 2 }]);
    expect(await past.history('a')).toHaveLength(1);
    expect(await past.conflicts('a')).toEqual([]);
    await alice.put({ _id: 'a', n: 11 });
    expect(await past.get('a')).toEqual({ _id: 'a', n: 1 });
    expect((await alice.at([]).allDocs()).rows).toEqual([]);
    expect((await alice.at(alice.clock).allDocs()).rows).toEqual((await alice.allDocs()).rows);
  });

  test('of one branch does not show the other', async () => {
    const alice = await memoryLedger('alice');
    const bob = await memoryLedger('bob');
    await alice.put({ _id: 'a' });
    await bob.put({ _id: 'b' });
    const [ofAlice, ofBob] = [alice.clock, bob.clock];
    await exchange(alice, bob);
    for (const ledger of [alice, bob]) {
      expect((await ledger.at(ofAlice).allDocs()).rows.map(({ id }) => id)).toEqual(['a']);
      expect((await ledger.at(ofBob).allDocs()).rows.map(({ id }) => id)).toEqual(['b']);
      const both = [...ofAlice, ...ofBob];
      expect((await ledger.at(both).allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b']);
    }
  });
});

describe('reads and writes at once', () => {
  test('never show half a change, however their steps interleave', async () => {
    const alice = await memoryLedger('alice', { cacheBytes: 0 });
    await alice.put({ _id: 'doc', n: 0, twice: 0 });
    for (let n = 1; n <= 60; n++) {
      const write = alice.put({ _id: 'doc', n, twice: 2 * n, [`f${n}`]: n });
      for (let tick = 0; tick < n % 12; tick++) await Promise.resolve();
      const [doc, conflicts, history, digest] = await Promise.all([
        alice.get('doc'),
        alice.conflicts('doc'),
        alice.history('doc'),
        alice.digest(),
        write,
      ]);
      expect([n - 1, n]).toContain(doc!['n']);
      expect(doc!['twice']).toBe(2 * (doc!['n'] as number));
      expect(conflicts).toEqual([]);
      expect([n, n + 1]).toContain(history.length);
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test('of digests give each ledger its own', async () => {
    const ledgers = await Promise.all(['alice', 'bob', 'carol'].map((name) => memoryLedger(name)));
    for (const ledger of ledgers) {
      for (let n = 0; n < 30; n++) await ledger.put({ _id: `${n % 7}`, [ledger.name]: n });
    }
    const one: string[] = [];
    for (const ledger of ledgers) one.push(await ledger.digest());
    expect(await Promise.all(ledgers.map((ledger) => ledger.digest()))).toEqual(one);
    expect(new Set(one).size).toBe(3);
  });
});

describe('verify', () => {
  test('reads everything, and finds the state right', async () => {
    const alice = await memoryLedger('alice');
    for (let n = 0; n < 5; n++) await alice.put({ _id: `${n % 2}`, n });
    const report = await alice.verify();
    expect(report).toEqual({
      commits: 5,
      documents: 2,
      bytes: expect.any(Number),
      corrupt: [],
      stateMatches: true,
      digest: await alice.digest(),
    });
    expect(report.bytes).toBeGreaterThan(5 * 50);
  });
});

describe('close', () => {
  test('waits for writes that were issued before it', async () => {
    const folder = temporaryFolder();
    const alice = await openLedger('alice', { folder, durability: 'strict' });
    const writes = [
      alice.put({ _id: 'a' }),
      alice.bulk([{ _id: 'b' }, { _id: 'c' }]),
      alice.put({ _id: 'd' }),
      alice.del('nobody'),
    ];
    const closed = alice.close();
    await expect(alice.put({ _id: 'late' })).rejects.toMatchObject({ code: 'closed' });
    await Promise.all(writes);
    await closed;
    const again = await openLedger('alice', { folder });
    expect((await again.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    await again.close();
  });

  test('can be called again, and everything else is refused after it', async () => {
    const alice = await openLedger('alice', { storage: 'memory' });
    const { clock } = await alice.put({ _id: 'doc' });
    const past = alice.at(clock);
    const cars = alice.export();
    await alice.close();
    await alice.close();
    const refusal = { name: 'LedgerError', code: 'closed' };
    const calls: (() => Promise<unknown>)[] = [
      () => alice.put({ _id: 'doc' }),
      () => alice.patch({ _id: 'doc', n: 1 }),
      () => alice.del('doc'),
      () => alice.bulk([]),
      () => alice.get('doc'),
      () => alice.allDocs(),
      () => alice.query('n'),
      () => alice.changes(),
      () => alice.history('doc'),
      () => alice.conflicts('doc'),
      () => alice.conflicted(),
      () => alice.commits(),
      () => alice.clockAt(START_MS),
      async () => alice.usage(),
      () => alice.digest(),
      () => alice.verify(),
      () => alice.import(new Uint8Array(0)),
      () => alice.destroy(),
      () => cars.next(),
      () => past.get('doc'),
      async () => alice.at(clock),
      async () => alice.count(),
      async () => alice.subscribe(() => undefined),
      async () => alice.replica.has(clock[0]!),
      async () => alice.replica.getBlock(clock[0]!),
      async () => alice.replica.cids(),
    ];
    for (const call of calls) await expect(call(), String(call)).rejects.toMatchObject(refusal);
  });
});

describe('destroy', () => {
  test('leaves nothing, so that the name opens an empty ledger', async () => {
    const folder = temporaryFolder();
    const alice = await openLedger('alice', { folder });
    await alice.put({ _id: 'doc' });
    await alice.destroy();
    await expect(alice.get('doc')).rejects.toMatchObject({ code: 'closed' });
    const again = await openLedger('alice', { folder });
    expect(again.clock).toEqual([]);
    await again.close();
  });
});

/** Takes uncaught errors away from the test runner; gives their messages when there are so many. */
function catchUncaught(): (count: number) => Promise<string[]> {
  const messages: string[] = [];
  let more = (): void => undefined;
  const others = process.listeners('uncaughtException');
  const listener = (error: Error): void => {
    messages.push(error.message);
    more();
  };
  process.removeAllListeners('uncaughtException').on('uncaughtException', listener);
  onTestFinished(() => {
    process.off('uncaughtException', listener);
    for (const other of others) process.on('uncaughtException', other);
  });
  return async (count) => {
    while (messages.length < count) {
      await new Promise<void>((resolve) => {
        more = resolve;
      });
    }
    return messages;
  };
}
