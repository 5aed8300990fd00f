import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { hex } from '../src/bytes.ts';
import { portableSha256 } from '../src/portable-sha256.ts';
import { forSeeds } from './support/random.ts';

function expected(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('bytes of any length hash as OpenSSL says', () =>
  forSeeds(1, (random) => {
    const lengths = [...Array(300).keys(), 1000, 65_535, 65_536, 1_000_003];
    for (const length of lengths) {
      const bytes = random.bytes(length);
      expect(hex(portableSha256(bytes)), `${length} bytes`).toBe(expected(bytes));
    }
  }));

test('a part of a buffer hashes as its own bytes do', () =>
  forSeeds(1, (random) => {
    const buffer = random.bytes(1000);
    for (let at = 0; at < 130; at++) {
      const part = buffer.subarray(at, at + random.below(600));
      expect(hex(portableSha256(part))).toBe(expected(part));
    }
  }));
