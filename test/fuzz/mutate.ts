import { concatBytes } from '../../src/bytes.ts';
import type { Random } from '../support/random.ts';

/** Heads that claim much: lists, maps, texts, bytes and tags of cbor, and varints without an end. */
const CLAIMS: readonly (readonly number[])[] = [
  [0x9b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
  [0xbb, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x5a, 0x7f, 0xff, 0xff, 0xff],
  [0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x9a, 0xff, 0xff, 0xff, 0xff],
  [0x9f],
  [0x5f],
  [0xd8, 0x2a],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0x80, 0x80, 0x80, 0x80, 0x01],
  [0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
];

/** Bytes as an accident, or somebody with a plan, could make them out of good ones. */
export function mutated(random: Random, samples: readonly Uint8Array[]): Uint8Array {
  if (random.oneIn(12)) return random.bytes(random.below(300));
  let bytes: Uint8Array = random.pick(samples).slice();
  const changes = random.oneIn(2) ? 1 : 1 + random.below(4);
  for (let change = 0; change < changes; change++) bytes = changed(random, bytes, samples);
  return bytes;
}

function changed(random: Random, bytes: Uint8Array, samples: readonly Uint8Array[]): Uint8Array {
  // Half of all changes near the start, where the lengths are.
  const reach = random.oneIn(2) ? Math.min(bytes.length, 100) : bytes.length;
  const at = random.below(reach + 1);
  const end = Math.min(bytes.length, at + random.below(40));
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.below(9)) {
    case 0: {
      const copy = bytes.slice();
      if (at < copy.length) copy[at]! ^= 1 << random.below(8);
      return copy;
    }
    case 1: {
      const copy = bytes.slice();
      if (at < copy.length) copy[at] = random.below(256);
      return copy;
    }
    // A length that is one off, as most heads are one byte.
    case 2: {
      const copy = bytes.slice();
      if (at < copy.length) copy[at]! += random.oneIn(2) ? 1 : -1;
      return copy;
    }
    case 3:
      return before.slice();
    case 4:
      return concatBytes([before, bytes.subarray(end)]);
    case 5:
      return concatBytes([before, random.bytes(1 + random.below(8)), after]);
    case 6:
      return concatBytes([bytes.subarray(0, end), bytes.subarray(at)]);
    case 7: {
      const claim = Uint8Array.from(random.pick(CLAIMS));
      return concatBytes([before, claim, random.oneIn(2) ? after : after.subarray(claim.length)]);
    }
    default: {
      const other = random.pick(samples);
      return concatBytes([before, other.subarray(random.below(other.length + 1))]);
    }
  }
}
