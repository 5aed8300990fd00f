import { CarBlockIterator, CarReader as IpldReader, CarWriter as IpldWriter } from '@ipld/car';
import { encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { identity } from 'multiformats/hashes/identity';
import { describe, expect, it } from 'vitest';
import { type Block, blockOf, MAX_BLOCK_BYTES, verifyBlock } from '../../src/blocks.ts';
import { concatBytes, equalBytes } from '../../src/bytes.ts';
import { decodeCarHeader } from '../../src/car/header.ts';
import { type CarBlock, CarReader } from '../../src/car/reader.ts';
import { readVarint, varintLength, writeVarint } from '../../src/car/varint.ts';
import { carFrame, carFrames, carHeader, carPrefixLength } from '../../src/car/writer.ts';
import { BlockError } from '../../src/errors.ts';
import { hexOf } from '../support/hex.ts';
import {
  cidsOf,
  newSeed,
  type Random,
  randomBlocks,
  randomBytes,
  seeded,
} from '../storage/support.ts';

function carOf(roots: readonly CID[], blocks: readonly Block[]): Uint8Array {
  return carFrames(blocks, carHeader(roots));
}

async function ipldCarOf(roots: CID[], blocks: readonly Block[]): Promise<Uint8Array> {
  const { writer, out } = IpldWriter.create(roots);
  const parts: Uint8Array[] = [];
  const gathered = (async () => {
    for await (const part of out) parts.push(part);
  })();
  for (const block of blocks) await writer.put({ cid: block.cid, bytes: block.bytes });
  await writer.close();
  await gathered;
  return concatBytes(parts);
}

/** Reads it all, in chunks of up to `maxChunk` bytes. */
function readCar(
  car: Uint8Array,
  random: Random = () => 0,
  maxChunk = car.length,
): { reader: CarReader; blocks: CarBlock[] } {
  const reader = new CarReader();
  const blocks: CarBlock[] = [];
  for (let at = 0; at < car.length;) {
    const size = maxChunk === car.length ? maxChunk : 1 + random(maxChunk);
    blocks.push(...reader.push(car.slice(at, at + size)));
    at += size;
  }
  reader.end();
  return { reader, blocks };
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return 'no error';
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintLength(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/** Blocks of all kinds of CID that are read. */
function mixedBlocks(random: Random): Block[] {
  const blocks = randomBlocks(random, 20, 400);
  const empty = blockOf(new Uint8Array(0));
  const large = blockOf(randomBytes(random, 70_000));
  const { multihash } = blocks[0]!.cid;
  const { bytes } = blocks[0]!;
  return [
    ...blocks,
    empty,
    large,
    { cid: CID.createV0(createDigest(0x12, multihash.digest)), bytes },
    { cid: CID.createV1(0x55, multihash), bytes },
    { cid: CID.createV1(0x0129, multihash), bytes },
    { cid: CID.createV1(2 ** 31 - 1, multihash), bytes },
    blocks[1]!,
  ];
}

describe('the CAR writer', () => {
  it('writes the same bytes as @ipld/car', async () => {
    const blocks = mixedBlocks(seeded(1));
    for (const count of [0, 1, 2, 300]) {
      const roots = Array.from({ length: count }, (_, i) => blocks[i % blocks.length]!.cid);
      const theirs = await ipldCarOf(roots, blocks);
      expect(equalBytes(carOf(roots, blocks), theirs)).toBe(true);
    }
  });

  it('writes the same frame alone, among others, and in the length that it tells', () => {
    const blocks = mixedBlocks(seeded(2));
    const alone = concatBytes(blocks.flatMap((block) => carFrame(block)));
    expect(equalBytes(carFrames(blocks), alone)).toBe(true);
    for (const block of blocks) expect(carFrame(block)[0]).toHaveLength(carPrefixLength(block));
  });

  it('is read by @ipld/car', async () => {
    const blocks = mixedBlocks(seeded(3));
    const car = carOf([blocks[3]!.cid], blocks);
    const reader = await IpldReader.fromBytes(car);
    expect((await reader.getRoots()).map(String)).toEqual([blocks[3]!.cid.toString()]);
    const read: Block[] = [];
    for await (const block of await CarBlockIterator.fromBytes(car)) read.push(block as Block);
    expect(cidsOf(read)).toEqual(cidsOf(blocks));
    for (const [i, { bytes }] of read.entries()) {
      expect(equalBytes(bytes, blocks[i]!.bytes)).toBe(true);
    }
  });

  it('refuses what the reader would refuse', () => {
    const large = blockOf(new Uint8Array(MAX_BLOCK_BYTES + 1));
    expect(thrownBy(() => carFrame(large))).toMatchObject({ code: 'block-too-large' });
    expect(thrownBy(() => carFrames([large]))).toMatchObject({ code: 'block-too-large' });
    const bytes = new Uint8Array(20);
    for (const digest of [
      identity.digest(bytes),
      createDigest(0x13, new Uint8Array(64)),
      createDigest(0x12, new Uint8Array(20)),
    ]) {
      const cid = CID.createV1(0x71, digest);
      expect(thrownBy(() => carFrame({ cid, bytes }))).toMatchObject({ code: 'unsupported-cid' });
    }
    const roots = Array.from({ length: 2000 }, () => large.cid);
    expect(thrownBy(() => carHeader(roots))).toMatchObject({
      name: 'BlockError',
      code: 'malformed-car',
    });
  });
});

describe('the CAR reader', () => {
  it('reads what @ipld/car writes, wherever the chunks are cut', async () => {
    const seed = newSeed();
    const random = seeded(seed);
    const blocks = mixedBlocks(random);
    const car = await ipldCarOf([blocks[0]!.cid, blocks[22]!.cid], blocks);
    for (const maxChunk of [1, 2, 7, 50, 300, 5000, 100_000, car.length]) {
      const { reader, blocks: read } = readCar(car, random, maxChunk);
      const message = `seed ${seed}, chunks up to ${maxChunk}`;
      expect(reader.roots?.map(String), message).toEqual(cidsOf([blocks[0]!, blocks[22]!]));
      expect(cidsOf(read), message).toEqual(cidsOf(blocks));
      for (const [i, { bytes, cid, offset, length }] of read.entries()) {
        expect(cid.equals(blocks[i]!.cid), message).toBe(true);
        expect(equalBytes(bytes, blocks[i]!.bytes), message).toBe(true);
        expect(equalBytes(car.subarray(offset, offset + length), bytes), message).toBe(true);
        verifyBlock({ cid, bytes });
      }
    }
  });

  it('gives each block as soon as its last byte is there', () => {
    const blocks = randomBlocks(seeded(5), 3, 300);
    const car = carOf([blocks[0]!.cid], blocks);
    const reader = new CarReader();
    const ends: number[] = [];
    for (const [i, byte] of car.entries()) {
      expect(reader.roots === undefined).toBe(i < carHeader([blocks[0]!.cid]).length);
      for (const { offset, length } of reader.push(Uint8Array.of(byte))) {
        ends.push(offset + length);
        expect(offset + length).toBe(i + 1);
      }
    }
    expect(ends).toHaveLength(3);
  });

  it('takes parts of larger bytes, Buffers in Node, and gives plain ones', () => {
    const blocks = randomBlocks(seeded(6), 3, 300);
    const whole = concatBytes([new Uint8Array(5), carOf([], blocks)]);
    const padded = 'Buffer' in globalThis ? Buffer.from(whole.buffer) : whole;
    const reader = new CarReader();
    const read = reader.push(padded.subarray(5));
    expect(reader.roots).toEqual([]);
    for (const [i, { bytes }] of read.entries()) {
      expect(bytes.constructor).toBe(Uint8Array);
      expect(equalBytes(bytes, blocks[i]!.bytes)).toBe(true);
    }
    const cids = cidsOf(read);
    padded.fill(0);
    expect(cidsOf(read)).toEqual(cids);
    expect(() => verifyBlock(read[0]!)).toThrow(BlockError);
  });

  it('reads large blocks from tiny chunks and tiny blocks from one large chunk', () => {
    const large = blockOf(randomBytes(seeded(7), MAX_BLOCK_BYTES));
    const car = carOf([large.cid], [large, large]);
    const reader = new CarReader();
    let read = 0;
    for (let at = 0; at < car.length; at += 16)
      read += reader.push(car.subarray(at, at + 16)).length;
    reader.end();
    expect(read).toBe(2);

    const tiny = Array.from({ length: 100_000 }, () => blockOf(Uint8Array.of(1)));
    expect(readCar(carOf([], tiny)).blocks).toHaveLength(100_000);
  });

  it('says at its end when the stream was cut, at any byte', () => {
    const blocks = randomBlocks(seeded(8), 3, 100);
    const header = carHeader([blocks[0]!.cid]);
    const car = carOf([blocks[0]!.cid], blocks);
    const boundaries = new Set([header.length]);
    for (let i = 1; i <= 3; i++)
      boundaries.add(header.length + carFrames(blocks.slice(0, i)).length);
    for (let cut = 0; cut <= car.length; cut++) {
      const reader = new CarReader();
      reader.push(car.slice(0, cut));
      const error = thrownBy(() => reader.end());
      if (boundaries.has(cut)) expect(error).toBe('no error');
      else expect(error).toMatchObject({ name: 'BlockError', code: 'malformed-car' });
    }
  });

  it('answers changed bytes by a BlockError or by blocks whose hash tells', () => {
    const seed = newSeed();
    const random = seeded(seed);
    const blocks = mixedBlocks(random).filter(({ bytes }) => bytes.length < 1000);
    const car = carOf([blocks[0]!.cid], blocks);
    const known = new Set(blocks.map(({ bytes }) => hexOf(bytes)));
    for (let round = 0; round < 3000; round++) {
      const mutated = car.slice();
      const changes = 1 + random(4);
      // Half of the rounds near the start, where the header and the first lengths are.
      const reach = random(2) === 0 ? 120 : car.length;
      for (let i = 0; i < changes; i++) mutated[random(reach)] = random(256);
      const error = thrownBy(() => {
        for (const block of readCar(mutated, random, 1 + random(3000)).blocks) {
          verifyBlock(block);
          // Only a codec, which no hash covers, can differ from what was written.
          if (!known.has(hexOf(block.bytes))) throw new Error('a block from nowhere');
        }
      });
      if (error !== 'no error') expect(error, `seed ${seed}`).toBeInstanceOf(BlockError);
    }
  });

  const header = carHeader([]);
  const block = blockOf(new Uint8Array(100));
  const malformed: [what: string, bytes: Uint8Array, code: string][] = [
    ['a header without bytes', Uint8Array.of(0), 'malformed-car'],
    ['a header beyond the limit', varint(64 * 1024 + 1), 'malformed-car'],
    ['a header that is not dag-cbor', Uint8Array.of(2, 0xff, 0xff), 'malformed-car'],
    ['a header that is not a map', Uint8Array.of(1, 0xf6), 'malformed-car'],
    ['JSON', new TextEncoder().encode(`{"clock":[${'"bafy",'.repeat(40)}""]}`), 'malformed-car'],
    [
      'a length that is not minimal',
      concatBytes([header, Uint8Array.of(0xa4, 0)]),
      'malformed-car',
    ],
    ['a length without end', concatBytes([header, new Uint8Array(9).fill(0xff)]), 'malformed-car'],
    ['a block without bytes', concatBytes([header, Uint8Array.of(0)]), 'malformed-car'],
    [
      'a CID that its frame cuts',
      concatBytes([header, varint(35), block.cid.bytes]),
      'malformed-car',
    ],
    [
      'a CID of another hash',
      concatBytes([header, varint(70), Uint8Array.of(1, 0x71, 0x13, 0x40), new Uint8Array(66)]),
      'unsupported-cid',
    ],
    [
      'an identity CID',
      concatBytes([header, varint(5), Uint8Array.of(1, 0x55, 0, 1, 7)]),
      'unsupported-cid',
    ],
    [
      'a CID of another version',
      concatBytes([header, varint(136), Uint8Array.of(2), block.cid.bytes.slice(1), block.bytes]),
      'unsupported-cid',
    ],
    [
      'a hash of another length',
      concatBytes([header, varint(30), Uint8Array.of(1, 0x71, 0x12, 20), new Uint8Array(26)]),
      'unsupported-cid',
    ],
    [
      'a block one byte beyond the limit',
      concatBytes([
        header,
        varint(36 + MAX_BLOCK_BYTES + 1),
        block.cid.bytes,
        new Uint8Array(MAX_BLOCK_BYTES + 1),
      ]),
      'block-too-large',
    ],
    ['a block that claims a petabyte', concatBytes([header, varint(2 ** 50)]), 'block-too-large'],
  ];
  for (const [version, name] of [
    [2, 'CARv2'],
    [0, 'version 0'],
    ['1', 'a version in text'],
  ] as const) {
    const body = encode({ version, roots: [] });
    malformed.push([name, concatBytes([varint(body.length), body]), 'malformed-car']);
  }
  for (const [roots, name] of [
    [undefined, 'no roots'],
    ['bafy', 'roots that are no list'],
    [['bafy'], 'a root that is no CID'],
  ] as const) {
    const body = encode(roots === undefined ? { version: 1 } : { version: 1, roots });
    malformed.push([name, concatBytes([varint(body.length), body]), 'malformed-car']);
  }

  it.each(malformed)('refuses %s', (_what, bytes, code) => {
    for (const size of [bytes.length, 1000, 1]) {
      const reader = new CarReader();
      const error = thrownBy(() => {
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.slice(at, at + size));
      });
      expect(error).toMatchObject({ name: 'BlockError', code });
      expect(thrownBy(() => reader.push(carFrames([block])))).toBe(error);
      expect(thrownBy(() => reader.end())).toBe(error);
    }
  });

  it('decodes a header alone', () => {
    const whole = carHeader([block.cid]);
    expect(decodeCarHeader(whole.subarray(1)).map(String)).toEqual([block.cid.toString()]);
    expect(thrownBy(() => decodeCarHeader(whole))).toMatchObject({ code: 'malformed-car' });
  });
});

describe('varints', () => {
  it('come back from every length', () => {
    for (let bits = 0; bits <= 53; bits++) {
      for (const value of [2 ** bits - 1, Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)]) {
        const bytes = varint(value);
        expect(readVarint(bytes, 0, bytes.length)).toBe(value);
        expect(readVarint(bytes, 0, bytes.length - 1)).toBe(-1);
      }
    }
  });

  it('are refused beyond 2^53 - 1 and when they are longer than need be', () => {
    for (const bytes of [
      [0x80, 0x00],
      [0x81, 0x80, 0x00],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      [],
    ]) {
      expect(readVarint(Uint8Array.from(bytes), 0, bytes.length)).toBe(-1);
    }
  });
});
