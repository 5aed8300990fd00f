import { beforeEach, describe, expect, test } from 'vitest';
import type { Document, DocumentValue } from '../../src/ledger/document.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { MapFunction, QueryOptions } from '../../src/ledger/query.ts';
import { compareKeys } from '../../src/ledger/collate.ts';
import { forSeeds } from '../support/random.ts';
import { exchange, memoryLedger } from './support.ts';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await memoryLedger('alice');
});

const people: Document[] = [
  { _id: 'ann', name: 'Ann', age: 31, city: 'Ulm', tags: ['a', 'b'] },
  { _id: 'bob', name: 'Bob', age: 25, city: 'Bonn', tags: ['b'] },
  { _id: 'cem', name: 'Cem', age: 31, city: 'Ulm', tags: [] },
  { _id: 'dan', name: 'Dan', city: 'Berlin' },
];

async function ids(by: string | MapFunction, options?: QueryOptions): Promise<string[]> {
  return (await ledger.query(by, options)).rows.map(({ id }) => id);
}

describe('a query by a field', () => {
  beforeEach(async () => {
    await ledger.bulk(people);
  });

  test('gives the documents that have it, in order of its value and then of their ids', async () => {
    const { rows, clock } = await ledger.query('age');
    expect(rows).toEqual([
      { id: 'bob', key: 25, value: null, doc: people[1] },
      { id: 'ann', key: 31, value: null, doc: people[0] },
      { id: 'cem', key: 31, value: null, doc: people[2] },
    ]);
    expect(clock).toEqual(ledger.clock);
  });

  test.each<[string, QueryOptions, string[]]>([
    ['one key', { key: 'Ulm' }, ['ann', 'cem']],
    ['a key that nobody has', { key: 'Rom' }, []],
    ['keys, in their order', { keys: ['Ulm', 'Rom', 'Berlin'] }, ['ann', 'cem', 'dan']],
    ['keys, each backwards', { keys: ['Ulm', 'Berlin'], descending: true }, ['cem', 'ann', 'dan']],
    ['a prefix', { prefix: 'B' }, ['dan', 'bob']],
    ['an empty prefix', { prefix: '' }, ['dan', 'bob', 'ann', 'cem']],
    ['a range with both ends', { range: ['Bonn', 'Ulm'] }, ['bob', 'ann', 'cem']],
    ['an empty range', { range: ['C', 'D'] }, []],
    ['backwards', { descending: true }, ['cem', 'ann', 'bob', 'dan']],
    ['a prefix backwards', { prefix: 'B', descending: true }, ['bob', 'dan']],
    ['a range backwards', { range: ['Berlin', 'Bonn'], descending: true }, ['bob', 'dan']],
    ['a limit', { limit: 2 }, ['dan', 'bob']],
    ['a limit over several keys', { keys: ['Ulm', 'Bonn'], limit: 2 }, ['ann', 'cem']],
    ['no rows at all', { limit: 0 }, []],
    ['a limit from the end', { limit: 1, descending: true }, ['cem']],
  ])('by %s', async (_, options, expected) => {
    expect(await ids('city', options)).toEqual(expected);
  });

  test('can leave the documents out', async () => {
    const { rows } = await ledger.query('age', { key: 25, includeDocs: false });
    expect(rows).toEqual([{ id: 'bob', key: 25, value: null }]);
  });

  test('follows what is written here and comes from others', async () => {
    expect(await ids('city', { key: 'Ulm' })).toEqual(['ann', 'cem']);
    await ledger.put({ ...people[0]!, city: 'Bonn' });
    await ledger.del('cem');
    const bob = await memoryLedger('bob');
    await bob.put({ _id: 'eva', city: 'Ulm' });
    await exchange(ledger, bob);
    expect(await ids('city', { key: 'Ulm' })).toEqual(['eva']);
    expect(await ids('city', { key: 'Bonn' })).toEqual(['ann', 'bob']);
  });

  test.each([
    { key: 1, keys: [1] },
    { prefix: 'a', range: ['a', 'b'] },
    { limit: -1 },
    { limit: NaN },
    { range: ['a'] },
  ] as unknown as QueryOptions[])('refuses the options %o', async (options) => {
    await expect(ledger.query('city', options)).rejects.toMatchObject({
      name: 'LedgerError',
      code: 'invalid-option',
    });
  });

  test('refuses to be by anything else', async () => {
    for (const by of [undefined, null, 1, {}]) {
      await expect(ledger.query(by as unknown as string)).rejects.toMatchObject({
        code: 'invalid-option',
      });
    }
  });
});

describe('a query by a map function', () => {
  const byTag: MapFunction = (doc, emit) => {
    for (const tag of (doc['tags'] ?? []) as string[]) emit(tag, doc['age'] ?? 0);
  };

  test('has a row for each key that was emitted, and for the one returned', async () => {
    await ledger.bulk(people);
    expect((await ledger.query(byTag)).rows).toEqual([
      { id: 'ann', key: 'a', value: 31 },
      { id: 'ann', key: 'b', value: 31 },
      { id: 'bob', key: 'b', value: 25 },
    ]);
    expect(await ids((doc) => (doc['age'] === 31 ? [doc['city']!, doc._id] : null))).toEqual([
      'ann',
      'cem',
    ]);
    const { rows } = await ledger.query(byTag, { key: 'a', includeDocs: true });
    expect(rows).toEqual([{ id: 'ann', key: 'a', value: 31, doc: people[0] }]);
  });

  test('keeps equal rows of one document apart', async () => {
    await ledger.put({ _id: 'doc' });
    const twice: MapFunction = (_, emit) => {
      emit('k', 1);
      emit('k', 2);
    };
    expect((await ledger.query(twice)).rows.map(({ value }) => value)).toEqual([1, 2]);
    await ledger.put({ _id: 'doc', n: 1 });
    expect((await ledger.query(twice)).rows).toHaveLength(2);
  });

  test('finds list keys by their first items', async () => {
    await ledger.bulk(people);
    const byPlace: MapFunction = (doc) => [doc['city']!, doc['age'] ?? null, doc._id];
    expect(await ids(byPlace, { prefix: ['Ulm'] })).toEqual(['ann', 'cem']);
    expect(await ids(byPlace, { prefix: ['Ulm', 31, 'cem'] })).toEqual(['cem']);
    expect(await ids(byPlace, { prefix: ['Berlin', null] })).toEqual(['dan']);
    expect(await ids(byPlace, { prefix: ['U'] })).toEqual([]);
    expect(await ids(byPlace, { prefix: [] })).toEqual(['dan', 'bob', 'ann', 'cem']);
    expect(await ids(byPlace, { range: [['Bonn'], ['Ulm', 31, 'ann']] })).toEqual(['bob', 'ann']);
    expect(await ids(byPlace, { prefix: ['Ulm'], descending: true, limit: 1 })).toEqual(['cem']);
  });

  test('sorts keys of all kinds as CouchDB does', async () => {
    const keys: DocumentValue[] = [
      null,
      false,
      true,
      -1.5,
      0,
      2 ** 53,
      2n ** 64n - 1n,
      '',
      'Z',
      'a',
      'ä',
      Uint8Array.of(0),
      Uint8Array.of(0, 1),
      [],
      [null],
      [1, 'b'],
      [2],
      { a: 1 },
    ];
    await ledger.bulk([...keys].reverse().map((key, n) => ({ _id: `${n}`, key: [key] })));
    const unwrap: MapFunction = (doc, emit) => emit((doc['key'] as DocumentValue[])[0]!);
    expect((await ledger.query(unwrap)).rows.map(({ key }) => key)).toEqual(keys);
    for (const key of keys) {
      expect((await ledger.query(unwrap, { key })).rows.map((row) => row.key)).toEqual([key]);
    }
  });

  test('runs once for each document, and again only for those that changed', async () => {
    await ledger.bulk(people);
    let calls = 0;
    const counting: MapFunction = (doc) => {
      calls++;
      return doc['age'];
    };
    await ledger.query(counting);
    expect(calls).toBe(4);
    await ledger.query(counting, { key: 25 });
    expect(calls).toBe(4);
    await ledger.put({ ...people[1]!, age: 26 });
    await ledger.put({ ...people[1]!, age: 27 });
    await ledger.del('ann');
    expect(await ids(counting, { range: [26, 31] })).toEqual(['bob', 'cem']);
    expect(calls).toBe(5);
    await Promise.all(Array.from({ length: 10 }, () => ledger.query(counting)));
    expect(calls).toBe(5);
  });

  test('is asked many times at once, while writes come, and each answer is whole', async () => {
    await ledger.bulk(Array.from({ length: 300 }, (_, n) => ({ _id: `${n}`, n: 0 })));
    const byNumber: MapFunction = (doc) => doc['n'];
    const answers: Promise<string[]>[] = [];
    for (let round = 1; round <= 20; round++) {
      answers.push(ids(byNumber), ids(byNumber, { descending: true }));
      await ledger.put({ _id: `${round}`, n: round });
    }
    for (const answer of await Promise.all(answers)) {
      expect(new Set(answer).size).toBe(300);
      expect(answer).toHaveLength(300);
    }
    expect(await ids(byNumber, { range: [1, 20] })).toEqual(
      Array.from({ length: 20 }, (_, n) => `${n + 1}`),
    );
  });

  test('that throws fails its query, not the next one nor that of another', async () => {
    await ledger.bulk(people);
    let broken = true;
    const sometimes: MapFunction = (doc) => {
      if (broken && doc._id === 'cem') throw new RangeError('not Cem');
      return doc['age'];
    };
    const results = await Promise.allSettled([
      ledger.query(sometimes),
      ledger.query(sometimes),
      ledger.query('age'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(results[0]).toMatchObject({ reason: { name: 'RangeError', message: 'not Cem' } });
    broken = false;
    expect(await ids(sometimes)).toEqual(['bob', 'ann', 'cem']);
    broken = true;
    await ledger.put({ ...people[2]!, age: 20 });
    await expect(ledger.query(sometimes)).rejects.toThrow('not Cem');
    broken = false;
    expect(await ids(sometimes)).toEqual(['cem', 'bob', 'ann']);
  });
});

test('an index kept up to date is the same as one made anew', async () => {
  await forSeeds(30, async (random) => {
    const alice = await memoryLedger('alice');
    const kept: MapFunction = (doc) => doc['key'];
    for (let step = 0; step < 60; step++) {
      const id = `${random.below(40)}`;
      if (random.oneIn(4)) await alice.del(id);
      else await alice.put({ _id: id, key: random.pick([random.below(9), `${random.below(9)}`]) });
      if (random.oneIn(3)) await alice.query(kept, { limit: random.below(5) });
    }
    const { rows } = await alice.query(kept);
    expect(rows).toEqual((await alice.query((doc) => doc['key'])).rows);
    expect(rows).toEqual(
      [...rows].sort((a, b) => compareKeys(a.key, b.key) || (a.id < b.id ? -1 : 1)),
    );
    expect(rows).toHaveLength(alice.count());
    const [first, last] = [random.below(9), `${random.below(9)}`];
    expect((await alice.query(kept, { range: [first, last] })).rows).toEqual(
      rows.filter(({ key }) => compareKeys(key, first) >= 0 && compareKeys(key, last) <= 0),
    );
  });
});
