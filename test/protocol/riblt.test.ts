import { expect, test } from 'vitest';
import {
  decodeCounts,
  Decoder,
  decodeSymbols,
  encodeCounts,
  encodeSymbols,
  estimateDifference,
  type Reading,
  symbolsFor,
} from '../../src/protocol/diff/riblt.ts';
import { CELL_WORDS, KEY_BYTES, KeyHash, Sketch } from '../../src/sketch.ts';
import { hexOf } from '../support/hex.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';

const NO_SALT = new Uint8Array(0);

test('keys are hashed by HalfSipHash-2-4, as its reference vectors have it', () => {
  const salt = Uint8Array.from({ length: 8 }, (_, i) => i);
  const { check } = new KeyHash(salt).place(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);
  // The first half of the reference's result for the 16 bytes 0 to 15: 73 36 aa d2.
  expect(check).toBe(0xd2aa3673);
});

test.each([
  [1000, 0],
  [1000, 1],
  [100_000, 100],
  [50_000, 10_000],
])(
  'of two sets with %i keys in common the %i differences are read',
  async (shared, differences) => {
    await forSeeds(1, (random) => {
      const [alice, bob] = setsOf(random, shared, differences);
      const symbols = Math.ceil(differences * 1.8) + 20;
      const { reading, decoder } = read(random, alice, bob, symbols, random.bytes(8));
      expect(reading).toBe('complete');
      expect(sorted(decoder.ours)).toEqual(sorted(joined(alice.own)));
      expect(sorted(decoder.theirs)).toEqual(sorted(joined(bob.own)));
      expect(decoder.length).toBeLessThan(differences * 1.8 + 20);
    });
  },
);

test('any two sets are told apart exactly, in symbols of any grouping, with a salt or without', async () => {
  await forSeeds(setting('EMBERLINK_RIBLT_RUNS', 60), (random) => {
    const [alice, bob] = setsOf(random, random.below(300), random.below(120));
    const salt = random.oneIn(2) ? NO_SALT : random.bytes(8);
    const { reading, decoder } = read(random, alice, bob, 600, salt);
    expect(reading).toBe('complete');
    expect(sorted(decoder.ours)).toEqual(sorted(joined(alice.own)));
    expect(sorted(decoder.theirs)).toEqual(sorted(joined(bob.own)));
  });
});

test('symbols computed later are the continuation of those computed before', async () => {
  await forSeeds(5, (random) => {
    const keys = keysOf(random, 200);
    const whole = sketchOf(keys, 0, 300, NO_SALT);
    const rest = sketchOf(keys, 100, 300, NO_SALT);
    expect(rest.counts).toEqual(whole.counts.subarray(100));
    expect(rest.words).toEqual(whole.words.subarray(100 * CELL_WORDS));
  });
});

test('the counts of few symbols tell how large a difference is', async () => {
  await forSeeds(20, (random) => {
    for (const [shared, differences] of [
      [2000, 40],
      [500, 400],
    ] as const) {
      const [alice, bob] = setsOf(random, shared, differences);
      const ours = sketchOf(alice.all, 0, 100, NO_SALT);
      const theirs = sketchOf(bob.all, 0, 100, NO_SALT);
      const counts = encodeCounts(theirs);
      expect(counts.length).toBeLessThan(200);
      const estimate = estimateDifference(
        ours,
        decodeCounts(counts, bob.all.length),
        bob.all.length,
      );
      // Six standard deviations to either side.
      expect(estimate).toBeGreaterThan(differences / 3);
      expect(estimate).toBeLessThan(differences * 2.3);
    }
  });
});

test('symbols come back from their bytes as they were, in 22 bytes each', async () => {
  await forSeeds(5, (random) => {
    const keys = keysOf(random, 1 + random.below(3000));
    const sketch = sketchOf(keys, 0, 200, random.bytes(8));
    const bytes = encodeSymbols(sketch, 50, 200);
    const { words, counts } = decodeSymbols(bytes, 50, keys.length);
    expect(counts).toEqual(sketch.counts.subarray(50));
    expect(words).toEqual(sketch.words.subarray(50 * CELL_WORDS));
    expect(bytes.length).toBeLessThan(150 * 22);
  });
});

test('random bytes are symbols that lead nowhere, or an error', async () => {
  await forSeeds(setting('EMBERLINK_RIBLT_RUNS', 60) * 5, (random) => {
    const bytes = random.bytes(random.below(3000));
    const size = random.oneIn(2) ? random.below(1000) : Number.MAX_SAFE_INTEGER;
    try {
      const symbols = decodeSymbols(bytes, random.below(1000), size);
      const ours = sketchOf(keysOf(random, 20), 0, symbols.counts.length, NO_SALT);
      new Decoder(NO_SALT).push(symbols, ours);
    } catch (error) {
      expect(error).toMatchObject({ name: 'ProtocolError', code: 'malformed-frame' });
    }
    try {
      decodeCounts(bytes, size);
    } catch (error) {
      expect(error).toMatchObject({ name: 'ProtocolError', code: 'malformed-frame' });
    }
  });
});

test('symbols forged to give one key to and fro are found out', () => {
  const key = new Uint8Array(KEY_BYTES).fill(7);
  const forged = new Sketch(0, 40);
  forged.add(key);
  // The key lies alone in its first cell, and is missing in all the others.
  forged.words.fill(0, CELL_WORDS);
  forged.counts.fill(0, 1);
  const decoder = new Decoder(NO_SALT);
  const reading = decoder.push(forged, new Sketch(0, 40));
  expect(reading).toBe('contradictory');
  expect(decoder.found).toBeLessThanOrEqual(40);
});

test('the first flight is mostly enough, and not much more than that', async () => {
  let enough = 0;
  await forSeeds(40, (random) => {
    const differences = 1 + random.below(200);
    const [alice, bob] = setsOf(random, 300, differences);
    const ours = sketchOf(alice.all, 0, 1024, NO_SALT);
    const theirs = sketchOf(bob.all, 0, 1024, NO_SALT);
    const counts = decodeCounts(encodeCounts(theirs), theirs.size);
    const flight = symbolsFor(estimateDifference(ours, counts, theirs.size));
    const symbols = decodeSymbols(encodeSymbols(theirs, 0, flight), 0, theirs.size);
    if (new Decoder(NO_SALT).push(symbols, ours) === 'complete') enough++;
  });
  expect(enough).toBeGreaterThanOrEqual(30);
});

// --- helpers ---

interface KeySet {
  readonly all: Uint8Array[];
  /** Those that only this set has. */
  readonly own: Uint8Array[];
}

function keysOf(random: Random, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => random.bytes(KEY_BYTES));
}

function setsOf(random: Random, shared: number, differences: number): [KeySet, KeySet] {
  const common = keysOf(random, shared);
  const own = keysOf(random, differences);
  const cut = random.below(differences + 1);
  const [left, right] = [own.slice(0, cut), own.slice(cut)];
  return [
    { all: random.shuffled([...common, ...left]), own: left },
    { all: random.shuffled([...common, ...right]), own: right },
  ];
}

function sketchOf(
  keys: readonly Uint8Array[],
  first: number,
  end: number,
  salt: Uint8Array,
): Sketch {
  const sketch = new Sketch(first, end, salt);
  for (const key of keys) sketch.add(key);
  return sketch;
}

/** Alice reads Bob's symbols in groups of any size, until she has read all. */
function read(
  random: Random,
  alice: KeySet,
  bob: KeySet,
  symbols: number,
  salt: Uint8Array,
): { reading: Reading; decoder: Decoder } {
  const theirs = sketchOf(bob.all, 0, symbols, salt);
  const ours = sketchOf(alice.all, 0, symbols, salt);
  const decoder = new Decoder(salt);
  let reading: Reading = 'open';
  while (reading === 'open' && decoder.length < symbols) {
    const from = decoder.length;
    const end = Math.min(symbols, from + 1 + random.below(1 + symbols / 20));
    reading = decoder.push(
      decodeSymbols(encodeSymbols(theirs, from, end), from, theirs.size),
      ours,
    );
  }
  return { reading, decoder };
}

function joined(keys: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(keys.flatMap((key) => [...key]));
}

function sorted(keys: Uint8Array): string[] {
  const texts: string[] = [];
  for (let at = 0; at < keys.length; at += KEY_BYTES) {
    texts.push(hexOf(keys.subarray(at, at + KEY_BYTES)));
  }
  return texts.sort();
}
