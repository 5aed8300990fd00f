import { isDeepStrictEqual } from 'node:util';
import { decode, encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { describe, expect, test } from 'vitest';
import { blockOf } from '../src/blocks.ts';
import { BlockError } from '../src/errors.ts';
import { CborCursor, CborWriter, MAX_DEPTH } from '../src/cbor.ts';
import type { DocumentValue } from '../src/ledger/document.ts';
import { forSeeds, setting } from './support/random.ts';

const RUNS = setting('EMBERLINK_CBOR_RUNS', 5000);

/** True when the scanner takes the bytes as exactly one value. */
function accepts(bytes: Uint8Array): boolean {
  const cursor = new CborCursor(bytes);
  try {
    cursor.skip();
  } catch (error) {
    if (error instanceof BlockError && error.code === 'malformed-commit') return false;
    throw error;
  }
  return cursor.at === bytes.length;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const wellFormedText = fc.string({ unit: 'grapheme', maxLength: 40 });

const value = fc.letrec<{ value: DocumentValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<DocumentValue>(null, true, false, 0, -1, 23, 24, 255, 256, 65_535, 65_536),
    fc.constantFrom<DocumentValue>(2 ** 32 - 1, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53 - 1)),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
    wellFormedText,
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => blockOf(bytes).cid),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(
      wellFormedText.filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 30 },
    ),
  ),
})).value;

describe('the scanner', () => {
  test('takes whatever dag-cbor writes for a value that a document may hold', () => {
    fc.assert(
      fc.property(value, (any) => {
        expect(accepts(encode(any))).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test('reads them as dag-cbor does', () => {
    fc.assert(
      fc.property(value, (any) => {
        const bytes = encode(any);
        const cursor = new CborCursor(bytes);
        expect(isDeepStrictEqual(cursor.readValue(), decode(bytes))).toBe(true);
        expect(cursor.at).toBe(bytes.length);
      }),
      { numRuns: RUNS },
    );
  });

  test('writes them as dag-cbor does', () => {
    const writer = new CborWriter();
    fc.assert(
      fc.property(value, (it) => {
        expect(writer.value(it, 0)).toBe(true);
        expect(hexOf(writer.finish())).toBe(hexOf(encode(it)));
      }),
      { numRuns: RUNS },
    );
  });

  test('reads a byte order mark as the part of a text that it is', () => {
    for (const text of ['\ufeff', '\ufeffmark', `\ufeff${'long '.repeat(20)}`]) {
      expect(new CborCursor(encode(text)).readValue()).toBe(text);
      expect(new CborCursor(encode({ [text]: 1 })).readValue()).toEqual({ [text]: 1 });
    }
  });

  test('takes nothing that dag-cbor would write in another way', async () => {
    let taken = 0;
    const base = fc.sample(value, { numRuns: 500, seed: 1 }).map((any) => encode(any));
    await forSeeds(RUNS * 20, (random) => {
      const bytes = random.pick(base).slice(0, 400);
      for (let changes = 1 + random.below(3); changes > 0; changes--) {
        bytes[random.below(bytes.length)] = random.oneIn(2)
          ? random.below(256)
          : random.pick([0x18, 0x1b, 0x5f, 0x60, 0x7f, 0xa2, 0xd8, 0xf7, 0xf9, 0xfa, 0xfb, 0xff]);
      }
      if (!accepts(bytes)) return;
      taken++;
      expect(hexOf(encode(decode(bytes)))).toBe(hexOf(bytes));
    });
    expect(taken).toBeGreaterThan(RUNS / 10);
  });

  test.each([
    ['an integer of one byte that fits into its head', '1817'],
    ['an integer of two bytes that fits into one', '1900ff'],
    ['an integer of four bytes that fits into two', '1a0000ffff'],
    ['an integer of eight bytes that fits into four', '1b00000000ffffffff'],
    ['a negative integer that is too wide', '3817'],
    ['a negative integer of eight bytes that fits into four', '3b00000000ffffffff'],
    ['a length of bytes that is too wide', '580100'],
    ['a length of text that is too wide', '780161'],
    ['a length of a list that is too wide', '980100'],
    ['a length of a map that is too wide', 'b8016100f6'],
    ['bytes of indefinite length', '5f4100ff'],
    ['text of indefinite length', '7f6161ff'],
    ['a list of indefinite length', '9f00ff'],
    ['a map of indefinite length', 'bf616100ff'],
    ['a reserved length', '1c'],
    ['a float of 16 bits', 'f93e00'],
    ['a float of 32 bits', 'fa3fc00000'],
    ['a float that is an integer', 'fb3ff0000000000000'],
    ['minus zero', 'fb8000000000000000'],
    ['NaN', 'fb7ff8000000000000'],
    ['Infinity', 'fb7ff0000000000000'],
    ['minus Infinity', 'fbfff0000000000000'],
    ['undefined', 'f7'],
    ['a simple value', 'e0'],
    ['a simple value of two bytes', 'f820'],
    ['a break without a beginning', 'ff'],
    ['map keys in the wrong order', 'a2616200616100'],
    ['a longer map key before a shorter one', 'a262616100616200'],
    ['a map key that comes twice', 'a2616100616101'],
    ['a map key that is no text', 'a10000'],
    ['a map key called __proto__', 'a1695f5f70726f746f5f5f00'],
    ['another tag than 42', 'c000'],
    ['a tag 42 that is too wide', 'd9002a4100'],
    ['a link without bytes', 'd82a40'],
    ['a link without the zero before it', 'd82a4101'],
    ['a link that is no CID', 'd82a4400ffffff'],
    [
      'a link whose CID says that it is of version 0',
      'd82a58250000711220d24d504542108658f42f1b24fd8237381e33faec2d696f8386441ef3fd261b55',
    ],
    ['text that is not UTF-8', '61ff'],
    ['text with a lone surrogate', '63eda080'],
    ['text with an overlong character', '62c080'],
    ['text that is cut off', '6261'],
    ['a list that is cut off', '8200'],
    ['a map that is cut off', 'a16161'],
    ['a float that is cut off', 'fb3ff8'],
    ['an integer that is cut off', '1b00'],
    ['a list that claims four billion items', '9affffffff'],
    ['a text that claims more than there can be', '7b7fffffffffffffff'],
    ['nothing', ''],
  ])('refuses %s', (_, hex) => {
    expect(accepts(Buffer.from(hex, 'hex'))).toBe(false);
  });

  test('takes lists and maps within lists as deep as a document may go, and no deeper', () => {
    const nested = (opening: string, depth: number): Uint8Array =>
      Buffer.from(`${opening.repeat(depth)}f6`, 'hex');
    for (const opening of ['81', 'a16161']) {
      expect(accepts(nested(opening, MAX_DEPTH + 1))).toBe(true);
      expect(accepts(nested(opening, MAX_DEPTH + 2))).toBe(false);
      expect(accepts(nested(opening, 500_000))).toBe(false);
    }
  });

  test('takes links of any kind, and integers of 64 bits', () => {
    const raw = CID.parse('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e');
    const v0 = CID.parse('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG');
    for (const any of [raw, v0, 2n ** 64n - 1n, -(2n ** 64n)]) {
      expect(accepts(encode(any))).toBe(true);
      expect(decode(encode(any))).toEqual(any);
    }
  });
});
