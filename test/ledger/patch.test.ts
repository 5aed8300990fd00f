import { describe, expect, test } from 'vitest';
import type { Document, DocumentValue } from '../../src/ledger/document.ts';
import type { HistoryEntry } from '../../src/ledger/history.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { blocksOf } from '../support/history.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { exchange, memoryLedger, texts } from './support.ts';

const RUNS = setting('EMBERLINK_PATCH_RUNS', 40);

describe('a patch', () => {
  test('writes the fields given, and leaves the others', async () => {
    const alice = await memoryLedger('alice');
    await alice.put({ _id: 'doc', name: 'Ann', age: 30, city: 'Ulm' });
    const written = await alice.patch({ _id: 'doc', age: 31, plays: ['chess'] });
    expect(written).toEqual({ id: 'doc', clock: alice.clock });
    const doc = { _id: 'doc', name: 'Ann', age: 31, city: 'Ulm', plays: ['chess'] };
    expect(await alice.get('doc')).toEqual(doc);
    expect((await alice.history('doc')).at(-1)).toMatchObject({
      commit: alice.clock[0],
      set: { age: 31, plays: ['chess'] },
      unset: [],
    });
  });

  test('makes the document where there is none, or none any more', async () => {
    const alice = await memoryLedger('alice');
    await alice.patch({ _id: 'doc', name: 'Ann' });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Ann' });
    await alice.put({ _id: 'doc', name: 'Ann', age: 30 });
    await alice.del('doc');
    await alice.patch({ _id: 'doc', name: 'Ann' });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Ann' });
    expect(alice.count()).toBe(1);
  });

  test('with what is stored already writes nothing', async () => {
    const alice = await memoryLedger('alice');
    const { clock } = await alice.put({ _id: 'doc', name: 'Ann', list: [1, { a: 1 }] });
    const again = await alice.patch({ _id: 'doc', list: [1, { a: 1 }] });
    expect(texts(again.clock)).toEqual(texts(clock));
    await alice.patch({ _id: 'doc', list: [1, { a: 1 }], name: 'Anna' });
    expect((await alice.history('doc')).at(-1)!.set).toEqual({ name: 'Anna' });
  });

  test('keeps what others wrote in the meantime, where a put of a copy takes it back', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'doc', name: 'Ann', age: 30 });
    await exchange(alice, bob);
    const copy = (await alice.get('doc'))!;
    await bob.patch({ _id: 'doc', age: 31 });
    await exchange(bob, alice);
    await alice.patch({ _id: 'doc', name: 'Anna' });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Anna', age: 31 });
    await alice.put({ ...copy, name: 'Anne' });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', name: 'Anne', age: 30 });
  });

  test('of one field and one of another, at the same time, both stand without a conflict', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.patch({ _id: 'doc', a: 0 });
    await exchange(alice, bob);
    await alice.patch({ _id: 'doc', a: 1 });
    await bob.patch({ _id: 'doc', b: 1 });
    await exchange(alice, bob);
    for (const ledger of [alice, bob]) {
      expect(await ledger.get('doc')).toEqual({ _id: 'doc', a: 1, b: 1 });
      expect(await ledger.conflicts('doc')).toEqual([]);
    }
  });

  test('with `resolve` settles its own fields and no others', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'doc', a: 'of alice', b: 'of alice' });
    await bob.put({ _id: 'doc', a: 'of bob', b: 'of bob' });
    await exchange(alice, bob);
    const fields = async (): Promise<string[]> =>
      (await alice.conflicts('doc')).flatMap((one) => (one.kind === 'field' ? [one.field] : []));
    const { a } = (await alice.get('doc'))!;
    const { clock } = alice;
    await alice.patch({ _id: 'doc', a: a! });
    expect(texts(alice.clock)).toEqual(texts(clock));
    expect(await fields()).toEqual(['a', 'b']);
    await alice.patch({ _id: 'doc', a: a! }, { resolve: true });
    expect(await fields()).toEqual(['b']);
    expect((await alice.history('doc')).at(-1)).toMatchObject({ set: { a }, unset: [] });
    await exchange(alice, bob);
    expect(await bob.get('doc')).toEqual(await alice.get('doc'));
    // Nothing is left to settle in it.
    const settled = alice.clock;
    await alice.patch({ _id: 'doc', a: a! }, { resolve: true });
    expect(texts(alice.clock)).toEqual(texts(settled));
  });

  test('is refused without a field, and when it cannot be stored', async () => {
    const alice = await memoryLedger('alice');
    const refusals: [unknown, object][] = [
      [{ _id: 'doc' }, { code: 'empty-patch' }],
      [{ name: 'Ann' }, { code: 'invalid-id' }],
      [undefined, { code: 'not-a-document' }],
      [
        { _id: 'doc', name: undefined },
        { code: 'invalid-value', path: 'name' },
      ],
    ];
    for (const [document, refusal] of refusals) {
      await expect(alice.patch(document as Document)).rejects.toMatchObject({
        name: 'DocumentError',
        ...refusal,
      });
    }
    expect(alice.clock).toEqual([]);
  });

  test('does not make a document larger than the limit, with others of its tick or alone', async () => {
    const alice = await memoryLedger('alice', { maxDocumentBytes: 1000 });
    const refusal = { name: 'DocumentError', code: 'document-too-large' };
    const half = 'x'.repeat(600);
    await alice.put({ _id: 'doc', a: half });
    await expect(alice.patch({ _id: 'doc', b: half })).rejects.toMatchObject(refusal);
    await alice.patch({ _id: 'doc', a: `${half}y` });
    const both = await Promise.allSettled([
      alice.put({ _id: 'other', a: half }),
      alice.patch({ _id: 'other', b: half }),
      alice.put({ _id: 'small' }),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect((await alice.allDocs()).rows.map(({ id }) => id)).toEqual(['doc', 'small']);
    expect(await alice.get('doc')).toEqual({ _id: 'doc', a: `${half}y` });
  });

  test('makes a document smaller that two writers made larger than the limit', async () => {
    const options = { maxDocumentBytes: 1000 };
    const [alice, bob] = [await memoryLedger('alice', options), await memoryLedger('bob', options)];
    await alice.patch({ _id: 'doc', a: 'a'.repeat(800) });
    await bob.patch({ _id: 'doc', b: 'b'.repeat(800) });
    await exchange(alice, bob);
    await alice.patch({ _id: 'doc', a: 'a'.repeat(500) });
    await alice.patch({ _id: 'doc', b: 'b' });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', a: 'a'.repeat(500), b: 'b' });
  });
});

describe('patches, puts and dels of one tick', () => {
  test('form one commit, in which each builds on those before it', async () => {
    const alice = await memoryLedger('alice');
    await alice.put({ _id: 'old', a: 1, b: 1 });
    const before = alice.replica.blockCount;
    await Promise.all([
      alice.put({ _id: 'doc', a: 1, b: 1 }),
      alice.patch({ _id: 'doc', b: 2 }),
      alice.patch({ _id: 'doc', c: 3 }),
      alice.del('old'),
      alice.patch({ _id: 'old', c: 3 }),
      alice.patch({ _id: 'new', a: 1 }),
      alice.patch({ _id: 'new', a: 2 }),
    ]);
    expect(alice.replica.blockCount).toBe(before + 1);
    const { rows } = await alice.allDocs();
    expect(rows.map(({ doc }) => doc)).toEqual([
      { _id: 'doc', a: 1, b: 2, c: 3 },
      { _id: 'new', a: 2 },
      { _id: 'old', c: 3 },
    ]);
  });

  test('settle what any of them settles', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'doc', a: 'of alice', b: 'of alice', c: 'of alice' });
    await bob.put({ _id: 'doc', a: 'of bob', b: 'of bob', c: 'of bob' });
    await exchange(alice, bob);
    const { a, b } = (await alice.get('doc'))!;
    await Promise.all([
      alice.patch({ _id: 'doc', a: a! }, { resolve: true }),
      alice.patch({ _id: 'doc', b: b! }),
    ]);
    const open = (await alice.conflicts('doc')).map((one) => one.kind === 'field' && one.field);
    expect(open).toEqual(['b', 'c']);
  });

  test('come to the same as one after the other', async () => {
    await forSeeds(RUNS, async (random) => {
      const [atOnce, inTurn] = [await memoryLedger('at-once'), await memoryLedger('in-turn')];
      for (let tick = 0; tick < 6; tick++) {
        const writes = Array.from({ length: 1 + random.below(8) }, () => randomWriting(random));
        const before = atOnce.replica.blockCount;
        await Promise.all(writes.map((write) => write(atOnce)));
        expect(atOnce.replica.blockCount - before).toBeLessThanOrEqual(1);
        for (const write of writes) await write(inTurn);
        expect((await atOnce.allDocs()).rows).toEqual((await inTurn.allDocs()).rows);
      }
    });
  });
});

test('patches write none but their own fields, however they interleave with what others bring', async () => {
  await forSeeds(RUNS, async (random) => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const patched: Document[] = [];
    const under: Promise<unknown>[] = [];
    for (let step = 0; step < 60; step++) {
      for (let wait = random.below(4); wait > 0; wait--) await Promise.resolve();
      const id = random.pick(IDS);
      switch (random.below(3)) {
        case 0: {
          const patch = { _id: id, [random.pick(FIELDS)]: `patch ${step}` };
          patched.push(patch);
          under.push(alice.patch(patch, { resolve: random.oneIn(4) }));
          continue;
        }
        case 1: {
          // Whole documents, so that fields of others come and go.
          const fields = FIELDS.filter(() => random.oneIn(2)).map((name) => [name, step]);
          await bob.put({ _id: id, here: true, ...Object.fromEntries(fields) });
          continue;
        }
        default: {
          const news = await blocksOf(bob);
          under.push(alice.replica.receive(news));
          if (random.oneIn(3)) under.push(bob.replica.receive(await blocksOf(alice)));
        }
      }
    }
    await Promise.all(under);
    for (const id of IDS) {
      for (const { writer, deleted, set, unset } of await alice.history(id)) {
        if (writer !== alice.writer) continue;
        expect({ deleted, unset }).toEqual({ deleted: false, unset: [] });
        for (const [field, value] of Object.entries(set)) {
          expect(patched).toContainEqual({ _id: id, [field]: value });
        }
      }
    }
    await exchange(alice, bob);
    expect(await alice.digest()).toBe(await bob.digest());
    await expectLastPatches(alice, bob.writer, patched);
  });
});

/** The last patch of a field is read, unless somebody else has written the field. */
async function expectLastPatches(
  ledger: Ledger,
  other: string,
  patched: readonly Document[],
): Promise<void> {
  const last = new Map<string, readonly [id: string, field: string, value: DocumentValue]>();
  for (const { _id: id, ...fields } of patched) {
    for (const [field, value] of Object.entries(fields))
      last.set(`${id} ${field}`, [id, field, value]);
  }
  for (const [id, field, value] of last.values()) {
    const wrote = ({ writer, set, unset }: HistoryEntry): boolean =>
      writer === other && (field in set || unset.includes(field));
    if ((await ledger.history(id)).some(wrote)) continue;
    expect((await ledger.get(id))![field]).toBe(value);
  }
}

const IDS = ['ash', 'birch', 'cedar'];
const FIELDS = ['a', 'b', 'height', 'ü'];

function randomWriting(random: Random): (ledger: Ledger) => Promise<unknown> {
  const id = random.pick(IDS);
  const fields = FIELDS.filter(() => random.oneIn(2)).map((name) => [name, random.below(3)]);
  const document = { _id: id, ...Object.fromEntries(fields) } as Document;
  switch (random.below(5)) {
    case 0:
      return (ledger) => ledger.del(id);
    case 1:
      return (ledger) => ledger.put(document, { resolve: true });
    case 2:
      return (ledger) => ledger.put(document);
    default:
      return (ledger) => ledger.patch({ more: random.seed, ...document });
  }
}
