import { beforeEach, describe, expect, test } from 'vitest';
import { compareBytes } from '../../src/bytes.ts';
import type { Conflict } from '../../src/ledger/history.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { START_MS } from '../support/history.ts';
import { exchange, memoryLedger, texts } from './support.ts';

let alice: Ledger;
let bob: Ledger;
/** Each side's wall clock, which only the test moves. */
let aliceMs: number;
let bobMs: number;

beforeEach(async () => {
  aliceMs = START_MS;
  bobMs = START_MS;
  alice = await memoryLedger('alice', { now: () => aliceMs });
  bob = await memoryLedger('bob', { now: () => bobMs });
});

/** Both know the document; what they write next is concurrent. */
async function share(fields: Record<string, string | number>): Promise<void> {
  await alice.put({ _id: 'doc', ...fields });
  await exchange(alice, bob);
}

/** After it both have the same state. */
async function meet(): Promise<void> {
  await exchange(alice, bob);
  expect(await alice.digest()).toBe(await bob.digest());
  expect(texts(alice.clock)).toEqual(texts(bob.clock));
  expect(await alice.conflicts('doc')).toEqual(await bob.conflicts('doc'));
}

function valuesIn(conflicts: readonly Conflict[]): unknown[] {
  return conflicts.map((conflict) => [
    conflict.kind === 'field' ? conflict.field : 'delete',
    ...conflict.versions.map(({ value }) => value),
  ]);
}

describe('two peers that change one document at the same time', () => {
  test('both win when they change different fields', async () => {
    await share({ name: 'Ann', age: 30 });
    await alice.put({ _id: 'doc', name: 'Anna', age: 30 });
    await bob.put({ _id: 'doc', name: 'Ann', age: 31 });
    await meet();
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Anna', age: 31 });
    expect(await alice.conflicts('doc')).toEqual([]);
  });

  test('both win when one changes a field and the other removes another one', async () => {
    await share({ name: 'Ann', age: 30 });
    await alice.put({ _id: 'doc', age: 30 });
    await bob.put({ _id: 'doc', name: 'Ann', age: 31 });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', age: 31 });
    expect(await bob.conflicts('doc')).toEqual([]);
  });

  test('agree on the later of two values of one field, and both see the other one', async () => {
    await share({ name: 'Ann' });
    bobMs += 1;
    const late = await bob.put({ _id: 'doc', name: 'of bob' });
    const early = await alice.put({ _id: 'doc', name: 'of alice' });
    await meet();
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'of bob' });
    expect(await alice.conflicts('doc')).toEqual([
      {
        kind: 'field',
        field: 'name',
        versions: [
          { commit: late.clock[0], time: START_MS + 1, writer: bob.writer, value: 'of bob' },
          { commit: early.clock[0], time: START_MS, writer: alice.writer, value: 'of alice' },
        ],
      },
    ]);
  });

  test('agree on the value of the greater CID when both were written at the same time', async () => {
    await share({ name: 'Ann' });
    const byAlice = await alice.put({ _id: 'doc', name: 'of alice' });
    const byBob = await bob.put({ _id: 'doc', name: 'of bob' });
    await meet();
    const [first, second] = [byAlice.clock[0]!, byBob.clock[0]!].map((cid) => cid.multihash.digest);
    const winner = compareBytes(first!, second!) > 0 ? 'of alice' : 'of bob';
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: winner });
    expect(valuesIn(await bob.conflicts('doc'))).toHaveLength(1);
  });

  test('have no conflict when they write the same value', async () => {
    await share({ name: 'Ann' });
    await alice.put({ _id: 'doc', name: 'Anna' });
    await bob.put({ _id: 'doc', name: 'Anna' });
    await meet();
    expect(await alice.conflicts('doc')).toEqual([]);
  });

  test('see that one set the field that the other removed', async () => {
    await share({ name: 'Ann', age: 30 });
    await alice.put({ _id: 'doc', name: 'Ann' });
    bobMs += 1;
    await bob.put({ _id: 'doc', name: 'Ann', age: 31 });
    await meet();
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Ann', age: 31 });
    expect(valuesIn(await alice.conflicts('doc'))).toEqual([['age', 31, undefined]]);
  });

  test('lose the field when its removal is the later of the two', async () => {
    await share({ name: 'Ann', age: 30 });
    await bob.put({ _id: 'doc', name: 'Ann', age: 31 });
    aliceMs += 1;
    await alice.put({ _id: 'doc', name: 'Ann' });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', name: 'Ann' });
    expect(valuesIn(await bob.conflicts('doc'))).toEqual([['age', undefined, 31]]);
  });

  test('both create it: each field of each is there', async () => {
    await alice.put({ _id: 'doc', name: 'Ann', age: 30 });
    bobMs += 1;
    await bob.put({ _id: 'doc', name: 'Anna', city: 'Ulm' });
    await meet();
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Anna', age: 30, city: 'Ulm' });
    expect(valuesIn(await alice.conflicts('doc'))).toEqual([['name', 'Anna', 'Ann']]);
  });
});

describe('conflicted', () => {
  test('tells the documents that somebody has to settle, until that is done', async () => {
    await alice.bulk([
      { _id: 'both', n: 0 },
      { _id: 'gone', n: 0 },
      { _id: 'kept', n: 0 },
      { _id: 'one', n: 0 },
      { _id: 'same', n: 0 },
    ]);
    await meet();
    expect(await alice.conflicted()).toEqual([]);
    await alice.bulk(['both', 'gone', 'kept', 'one'].map((_id) => ({ _id, n: 1 })));
    await alice.put({ _id: 'same', n: 3 });
    bobMs += 1;
    await bob.bulk(['both', 'gone'].map((_id) => ({ _id, n: 2 })));
    await bob.del('kept');
    await bob.put({ _id: 'same', n: 3 });
    await meet();
    expect(await alice.conflicted()).toEqual(['both', 'gone', 'kept']);
    await alice.del('gone');
    await alice.put({ _id: 'both', n: 1 });
    await alice.put({ _id: 'kept', n: 1 }, { resolve: true });
    expect(await alice.conflicted()).toEqual([]);
    await meet();
    expect(await bob.conflicted()).toEqual([]);
  });
});

describe('a conflict stays', () => {
  beforeEach(async () => {
    await share({ name: 'Ann', age: 30 });
    await alice.put({ _id: 'doc', name: 'of alice', age: 30 });
    bobMs += 1;
    await bob.put({ _id: 'doc', name: 'of bob', age: 30 });
    await meet();
  });

  test('until somebody who has seen it writes the field', async () => {
    await alice.put({ _id: 'doc', name: 'settled', age: 30 });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', name: 'settled', age: 30 });
    expect(await bob.conflicts('doc')).toEqual([]);
  });

  test('when somebody writes another field', async () => {
    await alice.put({ _id: 'doc', name: 'of bob', age: 31 });
    await meet();
    expect(valuesIn(await bob.conflicts('doc'))).toEqual([['name', 'of bob', 'of alice']]);
  });

  test('when somebody who has not seen it writes the field', async () => {
    const carol = await memoryLedger('carol', { now: () => START_MS + 2 });
    await carol.put({ _id: 'doc', name: 'of carol' });
    await exchange(alice, bob, carol);
    expect(await carol.get('doc')).toEqual({ _id: 'doc', name: 'of carol', age: 30 });
    expect(valuesIn(await alice.conflicts('doc'))).toContainEqual([
      'name',
      'of carol',
      'of bob',
      'of alice',
    ]);
  });

  test('until it is settled as it is', async () => {
    const before = alice.clock;
    await alice.put((await alice.get('doc'))!);
    expect(alice.clock).toEqual(before);
    await alice.put((await alice.get('doc'))!, { resolve: true });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', name: 'of bob', age: 30 });
    expect(await bob.conflicts('doc')).toEqual([]);
  });

  test('until it is settled, though a later write of the same tick overtakes that', async () => {
    const stored = (await alice.get('doc'))!;
    await Promise.all([alice.put(stored, { resolve: true }), alice.put({ ...stored, age: 31 })]);
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', name: 'of bob', age: 31 });
    expect(await bob.conflicts('doc')).toEqual([]);
  });

  test('until it is settled without the field', async () => {
    await alice.put({ _id: 'doc', age: 30 }, { resolve: true });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', age: 30 });
    expect(await bob.conflicts('doc')).toEqual([]);
  });
});

describe('a delete', () => {
  test('loses against a concurrent edit, and the document is whole', async () => {
    await share({ name: 'Ann', age: 30 });
    const edit = await alice.put({ _id: 'doc', name: 'Anna', age: 30 });
    bobMs += 1000;
    const removal = await bob.del('doc');
    expect(await bob.get('doc')).toBeUndefined();
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', name: 'Anna', age: 30 });
    expect(await bob.conflicts('doc')).toEqual([
      {
        kind: 'delete',
        versions: [
          {
            commit: removal.clock[0],
            time: START_MS + 1000,
            writer: bob.writer,
            value: undefined,
          },
        ],
      },
    ]);
    expect(edit.clock).toHaveLength(1);
  });

  test('that lost is settled by the next edit, or by deleting again', async () => {
    await share({ name: 'Ann' });
    await alice.put({ _id: 'doc', name: 'Anna' });
    await bob.del('doc');
    await meet();
    const carol = await memoryLedger('carol');
    await exchange(alice, carol);
    await alice.put({ _id: 'doc', name: 'Annabel' });
    await meet();
    expect(await bob.conflicts('doc')).toEqual([]);
    await carol.del('doc');
    expect(await carol.get('doc')).toBeUndefined();
    expect(await carol.conflicts('doc')).toEqual([]);
  });

  test('wins against the edits that it has seen', async () => {
    await share({ name: 'Ann' });
    await bob.put({ _id: 'doc', name: 'Anna' });
    await meet();
    await alice.del('doc');
    await meet();
    expect(await bob.get('doc')).toBeUndefined();
    expect(bob.count()).toBe(0);
    expect((await bob.allDocs()).rows).toEqual([]);
  });

  test('after a delete writes nothing', async () => {
    await share({ name: 'Ann' });
    const { clock } = await alice.del('doc');
    expect((await alice.del('doc')).clock).toEqual(clock);
    expect((await alice.del('never there')).clock).toEqual(clock);
  });

  test('on both sides is a delete', async () => {
    await share({ name: 'Ann' });
    await alice.del('doc');
    bobMs += 5;
    await bob.del('doc');
    await meet();
    expect(await alice.get('doc')).toBeUndefined();
    expect(await alice.conflicts('doc')).toEqual([]);
    expect(await alice.history('doc')).toHaveLength(3);
  });

  test('can be followed by a new document of that id, without fields of the old one', async () => {
    await share({ name: 'Ann', age: 30 });
    await alice.del('doc');
    await alice.put({ _id: 'doc', name: 'Ann', city: 'Ulm' });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', name: 'Ann', city: 'Ulm' });
    expect(await bob.conflicts('doc')).toEqual([]);
  });

  test('can be followed by an empty document of that id', async () => {
    await share({ name: 'Ann' });
    await alice.del('doc');
    await alice.put({ _id: 'doc' });
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc' });
  });

  test('and creation anew in one tick leave the new document', async () => {
    await share({ name: 'Ann', age: 30 });
    await Promise.all([alice.del('doc'), alice.put({ _id: 'doc', city: 'Ulm' })]);
    await meet();
    expect(await bob.get('doc')).toEqual({ _id: 'doc', city: 'Ulm' });
  });
});
