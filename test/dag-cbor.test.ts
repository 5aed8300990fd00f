import * as reference from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import { decode, encode } from '../src/dag-cbor.ts';
import { BlockError, DocumentError } from '../src/errors.ts';

class Heading {
  x = 1.5;
  readonly #hidden = 2;
  get sum(): number {
    return this.x + this.#hidden;
  }
}

describe('dag-cbor', () => {
  test('objects of a class are their own fields, as with the reference', () => {
    const value = { heading: new Heading(), list: [new Heading()], minusZero: -0 };
    expect(encode(value)).toEqual(reference.encode(value));
    expect(decode(encode(value))).toEqual({
      heading: { x: 1.5 },
      list: [{ x: 1.5 }],
      minusZero: 0,
    });
  });

  test.each([
    ['undefined', { a: undefined }],
    ['a function', { a: (): void => {} }],
    ['NaN', [Number.NaN]],
    ['an integer of more than 64 bits', 2n ** 64n],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['an error', new Error('no')],
    ['a lone surrogate', '\ud800'],
  ])('refuses %s', (_, value) => {
    expect(() => encode(value)).toThrow(DocumentError);
    expect(encode('the next')).toEqual(reference.encode('the next'));
  });

  test('a value that throws when it is read leaves nothing behind', () => {
    const value = {
      a: 'written already',
      get b(): never {
        throw new Error('a getter of the app');
      },
    };
    expect(() => encode(value)).toThrow('a getter of the app');
    expect(encode('the next')).toEqual(reference.encode('the next'));
  });

  test('reads one value, and no bytes after it', () => {
    expect(decode(Uint8Array.of(0x81, 0x01))).toEqual([1]);
    expect(() => decode(Uint8Array.of(0x81, 0x01, 0x00))).toThrow(BlockError);
  });
});
