import { expect, it } from 'vitest';
import { blockOf, CID } from '../../src/index.ts';
import { areEqualOptions, isEqual, keepRows } from '../../src/react/equal.ts';

const link = (text: string): CID => blockOf(new TextEncoder().encode(text)).cid;
const again = (cid: CID): CID => CID.parse(String(cid));

it.each([
  [{ a: 1, b: [null, 'x'] }, { b: [null, 'x'], a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: undefined }, { b: undefined }, false],
  [[1, 2], [1, 2, 3], false],
  [[], {}, false],
  [Number.NaN, Number.NaN, true],
  [2n ** 60n, 2n ** 60n, true],
  [0, -0, false],
  [null, undefined, false],
  [Uint8Array.of(1, 2), Uint8Array.of(1, 2), true],
  [Uint8Array.of(1, 2), Uint8Array.of(1, 3), false],
  [link('a'), again(link('a')), true],
  [link('a'), link('b'), false],
  [new URL('https://a.example/'), new URL('https://a.example'), true],
  [new URL('https://a.example/'), new URL('https://b.example'), false],
  [new Map(), new Map(), false],
  [() => 1, () => 1, false],
])('%s and %s: the same is %s', (a, b, same) => {
  expect(isEqual(a, b)).toBe(same);
  expect(isEqual({ in: [a] }, { in: [b] })).toBe(same);
});

it('holds functions of options that have the same name for the same', () => {
  expect(areEqualOptions({ authorize: () => true }, { authorize: () => false })).toBe(true);
  expect(areEqualOptions({ authorize: () => true }, { authorize: undefined })).toBe(false);
  expect(areEqualOptions({ authorize: () => true }, { validate: () => true })).toBe(false);
});

it('keeps each row that says the same, also those that one document has several of', () => {
  const rows = [
    { id: 'a', key: 'red', value: null },
    { id: 'a', key: 'warm', value: null },
    { id: 'b', key: 'red', value: null },
  ];
  expect(keepRows(rows, structuredClone(rows))).toBe(rows);
  const [redA, warmA, redB] = rows;
  const next = keepRows(rows, structuredClone([redB!, warmA!, { ...redA!, value: 1 }]));
  expect(next).toEqual([redB, warmA, { ...redA, value: 1 }]);
  expect(next[0]).toBe(redB);
  expect(next[1]).toBe(warmA);
  expect(keepRows(rows, rows.slice(0, 2))).toEqual([redA, warmA]);
});
