import * as reference from '@ipld/dag-json';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { expect, test } from 'vitest';
import { stringify } from '../../src/cli/dag-json.ts';
import { parseJson } from '../../src/cli/json-stream.ts';

const cid = CID.parse('bafyreigotik4qrg4tds5zerql7qalirdebybnsu6umtpaqbvoopyxiifty');

/** What a document's fields may hold. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false, cid),
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ unit: 'binary' }).filter((key) => key !== '/' && key !== '__proto__'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
}));

// A failing run prints its seed.
test('what is printed reads back the same, here and by @ipld/dag-json', () => {
  fc.assert(
    fc.property(value, fc.constantFrom(0, 2), (original, indent) => {
      const text = stringify(original, indent);
      expect(parseJson(text)).toEqual(original);
      expect(reference.parse(text)).toEqual(original);
    }),
  );
});

test('what @ipld/dag-json prints reads back the same', () => {
  fc.assert(
    fc.property(value, (original) => {
      expect(parseJson(reference.stringify(original))).toEqual(
        reference.parse(reference.stringify(original)),
      );
    }),
  );
});

test('a large number that is no exact integer stays a number', () => {
  for (const number of [2 ** 60, -(2 ** 70), 1e20, 1.5e300]) {
    expect(parseJson(stringify(number))).toBe(number);
  }
});

test('members without a value are left out, and lists and maps may be empty', () => {
  expect(stringify({ a: undefined, b: [], c: {} })).toBe('{"b":[],"c":{}}');
});

test('an object with more than the reserved key is an object', () => {
  for (const text of [
    '{"/":"x","y":1}',
    '{"/":{"bytes":"AQ","y":1}}',
    '{"/":1}',
    '{"/":{"x":1}}',
  ]) {
    expect(stringify(parseJson(text))).toBe(text);
  }
});
