import { isDeepStrictEqual } from 'node:util';
import { encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { describe, expect, test } from 'vitest';
import { blockOf } from '../../src/blocks.ts';
import type { Document } from '../../src/ledger/document.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { exchange, memoryLedger } from './support.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

class Point {
  x = 1;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { value };
  return value;
}

const cyclicList: unknown[] = [];
cyclicList.push([cyclicList]);
const cyclicMap: Record<string, unknown> = {};
cyclicMap['self'] = { again: cyclicMap };

describe('a ledger refuses, and writes nothing for,', () => {
  const values: [string, unknown, string?][] = [
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['minus Infinity', -Infinity],
    ['an integer beyond 64 bits', 2n ** 64n],
    ['a negative integer beyond 64 bits', -(2n ** 64n) - 1n],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a RegExp', /x/],
    ['a Promise', Promise.resolve(1)],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a Float64Array', new Float64Array(2)],
    ['an instance of a class', new Point()],
    ['a boxed string', Object('text')],
    ['text with a lone surrogate', 'a\ud800'],
    ['text with surrogates the wrong way round', '\udc00\ud800'],
    ['a key with a lone surrogate', { '\udfff': 1 }, 'field.\udfff'],
    ['a key called __proto__', JSON.parse('{"__proto__":1}'), 'field.__proto__'],
    ['a list with a hole', Object.assign([1], { 2: 3 }), 'field[1]'],
    ['a value deep inside', [{ a: [0, undefined] }], 'field[0].a[1]'],
  ];

  test.each(values)('%s', async (_, value, path = 'field') => {
    const alice = await memoryLedger('alice');
    const { clock } = await alice.put({ _id: 'before' });
    const bad = { _id: 'doc', good: 1, field: value } as Document;
    const refusal = { name: 'DocumentError', code: 'invalid-value', path };
    await expect(alice.put(bad)).rejects.toMatchObject(refusal);
    await expect(alice.bulk([{ _id: 'good' }, bad])).rejects.toMatchObject(refusal);
    expect(alice.clock).toEqual(clock);
    expect(alice.count()).toBe(1);
  });

  test.each([
    ['a list within itself', cyclicList],
    ['a map within itself', cyclicMap],
    ['lists and maps 66 deep', nested(66)],
  ])('%s', async (_, value) => {
    const alice = await memoryLedger('alice');
    await expect(alice.put({ _id: 'doc', value } as Document)).rejects.toMatchObject({
      name: 'DocumentError',
      code: 'invalid-value',
    });
    expect(alice.clock).toEqual([]);
  });

  test('a document with a cycle through itself', async () => {
    const alice = await memoryLedger('alice');
    const document: Record<string, unknown> = { _id: 'doc' };
    document['self'] = document;
    await expect(alice.put(document as Document)).rejects.toMatchObject({ path: 'self' });
    expect(alice.clock).toEqual([]);
  });

  test('a document with a field called __proto__', async () => {
    const alice = await memoryLedger('alice');
    const document = JSON.parse('{"_id":"doc","__proto__":{"admin":true}}') as Document;
    await expect(alice.put(document)).rejects.toMatchObject({ code: 'invalid-value' });
    expect(alice.clock).toEqual([]);
  });

  test.each([
    ['no _id', { n: 1 }],
    ['an empty _id', { _id: '' }],
    ['an _id that is a number', { _id: 1 }],
    ['an _id that is null', { _id: null }],
    ['an _id of 513 bytes', { _id: 'x'.repeat(513) }],
    ['an _id of 514 bytes of UTF-8', { _id: 'é'.repeat(257) }],
    ['an _id with a lone surrogate', { _id: 'a\ud800' }],
  ])('%s', async (_, document) => {
    const alice = await memoryLedger('alice');
    const refusal = { name: 'DocumentError', code: 'invalid-id', path: '_id' };
    await expect(alice.put(document as unknown as Document)).rejects.toMatchObject(refusal);
    await expect(alice.del((document as { _id: string })._id)).rejects.toMatchObject(refusal);
    expect(alice.clock).toEqual([]);
  });

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['text', 'doc'],
    ['a list', [{ _id: 'doc' }]],
    ['a Map', new Map([['_id', 'doc']])],
    ['a Date', new Date()],
    ['an instance of a class', new Point()],
  ])('%s in the place of a document', async (_, value) => {
    const alice = await memoryLedger('alice');
    const refusal = { name: 'DocumentError', code: 'not-a-document' };
    await expect(alice.put(value as unknown as Document)).rejects.toMatchObject(refusal);
    await expect(alice.bulk([value as unknown as Document])).rejects.toMatchObject(refusal);
    await expect(alice.bulk(1 as unknown as Document[])).rejects.toMatchObject(refusal);
    expect(alice.clock).toEqual([]);
  });

  test('a document beyond the limit, in the midst of others of the same tick', async () => {
    const alice = await memoryLedger('alice', { maxDocumentBytes: 1000 });
    const fits = 'x'.repeat(1000 - encode({ text: '' }).length - 2);
    const results = await Promise.allSettled([
      alice.put({ _id: 'first' }),
      alice.put({ _id: 'large', text: `${fits}x` }),
      alice.put({ _id: 'fits', text: fits }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({
      reason: { name: 'DocumentError', code: 'document-too-large' },
    });
    expect((await alice.allDocs()).rows.map(({ id }) => id)).toEqual(['first', 'fits']);
  });
});

describe('a document comes back as it was put', () => {
  const cid = blockOf(Uint8Array.of(1)).cid;
  const whole: Document = {
    _id: 'ключ 🔑',
    '': 'an empty name',
    toString: 'a name that every object knows',
    constructor: { prototype: null },
    yes: true,
    no: false,
    nothing: null,
    integers: [0, -1, 255, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    floats: [0.1, -1.5, 5e-324, 1.7976931348623157e308, 2 ** 60],
    large: [2n ** 64n - 1n, -(2n ** 64n), 2n ** 53n],
    text: ['', 'a\u0000b', '\ufeffmark', '🌍'],
    bytes: Uint8Array.of(0, 255),
    links: [cid, CID.parse('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')],
    list: [[], [[]], {}],
    map: { b: { c: [1, { d: 2 }] }, a: 1, _id: 'only at the top it means something' },
    deep: nested(64) as Document['deep'],
    same: [cid, cid],
  };

  test('from memory, from disk, and from a peer', async () => {
    const folder = temporaryFolder();
    const alice = await openLedger('alice', { folder });
    await alice.put(whole);
    expect(await alice.get(whole._id)).toEqual(whole);
    const bob = await memoryLedger('bob');
    await exchange(alice, bob);
    expect(await bob.get(whole._id)).toEqual(whole);
    await alice.put({ ...whole, yes: 'edited' });
    await alice.close();
    const again = await openLedger('alice', { folder });
    expect(await again.get(whole._id)).toEqual({ ...whole, yes: 'edited' });
    await again.close();
  });

  test('though the object is changed after the call', async () => {
    const alice = await memoryLedger('alice');
    const document = { _id: 'doc', list: [1], bytes: Uint8Array.of(1) };
    const written = alice.put(document);
    document.list.push(2);
    document.bytes[0] = 9;
    await written;
    expect(await alice.get('doc')).toEqual({ _id: 'doc', list: [1], bytes: Uint8Array.of(1) });
  });

  test('with Buffers as bytes, and objects without a prototype as maps', async () => {
    const alice = await memoryLedger('alice');
    const map: Record<string, number> = Object.assign(Object.create(null) as object, { a: 1 });
    await alice.put({ _id: 'doc', bytes: Buffer.from('hi'), map });
    expect(await alice.get('doc')).toEqual({
      _id: 'doc',
      bytes: Uint8Array.of(104, 105),
      map: { a: 1 },
    });
  });

  test('one object may stand in it several times', async () => {
    const alice = await memoryLedger('alice');
    const shared = { n: 1 };
    await alice.put({ _id: 'doc', a: shared, list: [shared, shared] });
    expect(await alice.get('doc')).toEqual({ _id: 'doc', a: shared, list: [shared, shared] });
  });

  test('an _id may have 512 bytes, and a document a mebibyte', async () => {
    const alice = await memoryLedger('alice');
    const large = { _id: 'é'.repeat(256), bytes: new Uint8Array(1024 * 1024 - 20) };
    await alice.put(large);
    expect(isDeepStrictEqual(await alice.get(large._id), large)).toBe(true);
    const limit = 1.5 * 1024 * 1024;
    const bob = await memoryLedger('bob', { maxDocumentBytes: limit });
    await bob.put({ _id: 'x', bytes: new Uint8Array(limit - 20) });
    await exchange(alice, bob);
    expect(isDeepStrictEqual(await alice.get('x'), await bob.get('x'))).toBe(true);
    expect(alice.count()).toBe(2);
  });
});

describe('opening refuses', () => {
  test.each([
    ['../x'],
    ['..'],
    ['.'],
    [''],
    ['a/b'],
    ['a\\b'],
    ['/etc'],
    ['.hidden'],
    ['-x'],
    ['x.'],
    ['a b'],
    ['a\0b'],
    ['con'],
    ['CON.txt'],
    ['nul'],
    ['lpt1'],
    ['é'],
    ['x'.repeat(101)],
    [undefined],
    [1],
  ])('the name %j', async (name) => {
    const folder = temporaryFolder();
    const refusal = { name: 'LedgerError', code: 'invalid-name' };
    await expect(openLedger(name as string, { folder })).rejects.toMatchObject(refusal);
    await expect(openLedger(name as string, { storage: 'memory' })).rejects.toMatchObject(refusal);
  });

  test.each<[object]>([
    [{ durability: 'some' }],
    [{ storage: 'cloud' }],
    [{ storage: null }],
    [{ folder: 5 }],
    [{ folder: '' }],
    [{ now: 5 }],
    [{ maxDocumentBytes: 2 ** 21 }],
    [{ maxDocumentBytes: -1 }],
    [{ maxDocumentBytes: '1000' }],
    [{ futureToleranceMs: NaN }],
    [{ maxParkedBytes: -1 }],
    [{ cacheBytes: '8' }],
    [{ segmentBytes: 0 }],
    [{ segmentBytes: 1.5 }],
    [{ segmentBytes: 2 ** 40 }],
  ])('the options %o', async (options) => {
    await expect(
      openLedger('alice', { storage: 'memory', ...(options as LedgerOptions) }),
    ).rejects.toMatchObject({ name: 'LedgerError', code: 'invalid-option' });
  });

  test('a ledger that is open already, until it is closed', async () => {
    const folder = temporaryFolder();
    const first = await openLedger('alice', { folder });
    await expect(openLedger('alice', { folder })).rejects.toMatchObject({
      name: 'LedgerError',
      code: 'locked',
    });
    const other = await openLedger('bob', { folder });
    await first.put({ _id: 'doc' });
    await first.close();
    await other.close();
    const second = await openLedger('alice', { folder });
    expect(await second.get('doc')).toEqual({ _id: 'doc' });
    await second.close();
  });
});
