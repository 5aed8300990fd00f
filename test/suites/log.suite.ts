import { CarReader } from '@ipld/car';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Block,
  blockOf,
  MAX_BLOCK_BYTES,
  type MaybePromise,
  verifyBlock,
} from '../../src/blocks.ts';
import { concatBytes, equalBytes } from '../../src/bytes.ts';
import { carFrame, carHeader } from '../../src/car/writer.ts';
import { StorageError } from '../../src/errors.ts';
import { type Location, Log, type LogEntry, type LogOptions } from '../../src/storage/log.ts';
import type { Place } from '../../src/storage/place.ts';
import {
  cidsOf,
  newSeed,
  overwrite,
  randomBlock,
  randomBlocks,
  randomBytes,
  readWhole,
  recoverAll,
  seeded,
  sizeOf,
} from '../storage/support.ts';
import type { PlaceFixture } from './place.suite.ts';

const FIRST = 'log-00000001.car';
const SECOND = 'log-00000002.car';
const relaxed: LogOptions = { durability: 'relaxed', segmentBytes: 1000 };
const oneSegment: LogOptions = { durability: 'relaxed' };

/** A place whose next calls fail as told, after the real one below has done a part of the work. */
class FailingPlace implements Place {
  readonly #place: Place;
  /** Bytes of the next append that still fit. */
  room: number | undefined;
  failTruncate = false;
  failSync = false;
  readonly calls: string[] = [];

  constructor(place: Place) {
    this.#place = place;
  }

  list(): MaybePromise<{ name: string; size: number }[]> {
    return this.#place.list();
  }

  read(name: string, offset: number, length: number): MaybePromise<Uint8Array> {
    return this.#place.read(name, offset, length);
  }

  append(name: string, bytes: Uint8Array): MaybePromise<void> {
    this.calls.push(`append ${name}`);
    if (this.room === undefined) return this.#place.append(name, bytes);
    const part = bytes.subarray(0, this.room);
    this.room = undefined;
    return Promise.resolve(this.#place.append(name, part)).then(() => {
      throw new StorageError('full', 'no room for the rest');
    });
  }

  truncate(name: string, size: number): MaybePromise<void> {
    if (this.failTruncate) throw new StorageError('io', 'cannot truncate');
    return this.#place.truncate(name, size);
  }

  sync(name: string): MaybePromise<void> {
    this.calls.push(`sync ${name}`);
    if (this.failSync) throw new StorageError('io', 'cannot sync');
    return this.#place.sync(name);
  }

  replace(name: string, bytes: Uint8Array): MaybePromise<void> {
    return this.#place.replace(name, bytes);
  }

  remove(name: string): MaybePromise<void> {
    if (this.failTruncate) throw new StorageError('io', 'cannot remove');
    return this.#place.remove(name);
  }

  close(): MaybePromise<void> {
    return this.#place.close();
  }

  destroy(): MaybePromise<void> {
    return this.#place.destroy();
  }
}

/** The contract of the log over any kind of place. */
export function logSuite(kind: string, createFixture: () => Promise<PlaceFixture>): void {
  describe(`a log in ${kind}`, () => {
    let fixture: PlaceFixture;
    let place: Place;

    beforeEach(async () => {
      fixture = await createFixture();
      place = await fixture.open();
    });

    afterEach(async () => {
      await place.close();
      await fixture.remove();
    });

    async function reopen(options: LogOptions): Promise<{ log: Log; found: LogEntry[] }> {
      await place.close();
      place = await fixture.open();
      return recovered(options);
    }

    async function recovered(options: LogOptions): Promise<{ log: Log; found: LogEntry[] }> {
      const log = await Log.open(place, options);
      return { log, found: await recoverAll(log) };
    }

    /** Writes the blocks one by one into one segment and returns its bytes and their places in it. */
    async function written(
      blocks: readonly Block[],
    ): Promise<{ bytes: Uint8Array; frames: { start: number; end: number }[] }> {
      const log = await Log.open(place, oneSegment);
      const frames: { start: number; end: number }[] = [];
      for (const block of blocks) {
        const [location] = await log.append([block]);
        const end = location!.offset + location!.length;
        frames.push({ start: end - concatBytes(carFrame(block)).length, end });
      }
      return { bytes: await readWhole(place, FIRST), frames };
    }

    // --- what was appended ---

    it('gives back after reopening what was appended, in order and where it said', async () => {
      const blocks = randomBlocks(seeded(1), 40, 300);
      const log = await Log.open(place, relaxed);
      const locations: Location[] = [];
      for (let i = 0; i < blocks.length; i += 4) {
        locations.push(...(await log.append(blocks.slice(i, i + 4))));
      }
      expect(log.segments.size).toBeGreaterThan(3);

      const { log: again, found } = await reopen(relaxed);
      expect(again.damage).toEqual([]);
      expect(again.end).toEqual(log.end);
      expect([...again.segments]).toEqual([...log.segments]);
      expect(cidsOf(found)).toEqual(cidsOf(blocks));
      expect(found.map(({ segment, offset, length }) => ({ segment, offset, length }))).toEqual(
        locations,
      );
      for (const [i, block] of blocks.entries()) {
        expect(equalBytes(found[i]!.bytes, block.bytes)).toBe(true);
        expect(equalBytes(await again.read(locations[i]!, block.cid), block.bytes)).toBe(true);
      }
    });

    it('writes each call by one append and starts a new segment after a full one', async () => {
      const watched = new FailingPlace(place);
      const log = await Log.open(watched, relaxed);
      const random = seeded(2);
      await log.append([randomBlock(random, 400), randomBlock(random, 400)]);
      expect(log.end).toEqual({ segment: 1, offset: await sizeOf(place, FIRST) });
      await log.append(randomBlocks(random, 10, 2000));
      await log.append([randomBlock(random, 10)]);
      expect(watched.calls).toEqual([`append ${FIRST}`, `append ${FIRST}`, `append ${SECOND}`]);
      expect(log.end.segment).toBe(2);
    });

    it('makes segments that any CAR reader opens, with the first block as root', async () => {
      const blocks = [...randomBlocks(seeded(3), 30, 300), blockOf(new Uint8Array(0))];
      const log = await Log.open(place, relaxed);
      for (const block of blocks) await log.append([block]);
      const read: string[] = [];
      for (const { name } of [...(await place.list())].sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const car = await CarReader.fromBytes(await readWhole(place, name));
        const roots = await car.getRoots();
        const first = read.length;
        for await (const block of car.blocks()) {
          verifyBlock(block as Block);
          read.push(block.cid.toString());
        }
        expect(roots.map(String)).toEqual([read[first]]);
      }
      expect(read).toEqual(cidsOf(blocks));
    });

    it('does nothing for no blocks', async () => {
      const log = await Log.open(place, relaxed);
      expect(await log.append([])).toEqual([]);
      expect(log.end).toEqual({ segment: 1, offset: 0 });
      expect(await place.list()).toEqual([]);
    });

    it('keeps logs of other prefixes and other files apart', async () => {
      const [a, b] = randomBlocks(seeded(4), 2, 100);
      await place.append('log-1.car', new Uint8Array(3));
      await place.append('index', new Uint8Array(3));
      const log = await Log.open(place, relaxed);
      const other = await Log.open(place, { ...relaxed, prefix: 'parked' });
      await log.append([a!]);
      await other.append([b!]);
      expect(cidsOf((await reopen(relaxed)).found)).toEqual(cidsOf([a!]));
      const { log: parked, found } = await recovered({ ...relaxed, prefix: 'parked' });
      expect(cidsOf(found)).toEqual(cidsOf([b!]));
      await parked.clear();
      expect((await place.list()).map(({ name }) => name).sort()).toEqual([
        'index',
        FIRST,
        'log-1.car',
      ]);
    });

    it('begins anew after it was cleared', async () => {
      const blocks = randomBlocks(seeded(5), 30, 300);
      const log = await Log.open(place, relaxed);
      for (const block of blocks) await log.append([block]);
      await log.clear();
      expect(await place.list()).toEqual([]);
      expect(log.end).toEqual({ segment: 1, offset: 0 });
      await log.append(blocks.slice(7, 9));
      expect(cidsOf((await reopen(relaxed)).found)).toEqual(cidsOf(blocks.slice(7, 9)));
    });

    it('syncs each append when strict, and on flush what is not yet synced', async () => {
      const watched = new FailingPlace(place);
      const strict = await Log.open(watched, { durability: 'strict' });
      await strict.append(randomBlocks(seeded(6), 3, 100));
      expect(watched.calls).toEqual([`append ${FIRST}`, `sync ${FIRST}`]);
      await strict.flush();
      expect(watched.calls).toHaveLength(2);

      const log = await Log.open(watched, { ...relaxed, prefix: 'other' });
      for (const block of randomBlocks(seeded(6), 12, 300)) await log.append([block]);
      const segments = log.segments.size;
      watched.calls.length = 0;
      await log.flush();
      await log.flush();
      expect(watched.calls).toHaveLength(segments);
      expect(new Set(watched.calls).size).toBe(segments);
    });

    // --- wrong use ---

    it('refuses blocks that no reader would take, and writes nothing', async () => {
      const log = await Log.open(place, relaxed);
      const good = randomBlock(seeded(9), 100);
      const large = blockOf(new Uint8Array(MAX_BLOCK_BYTES + 1));
      const sha512 = CID.parse(
        'bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs',
      );
      await expect(async () => log.append([good, large])).rejects.toMatchObject({
        name: 'BlockError',
        code: 'block-too-large',
      });
      await expect(async () =>
        log.append([good, { cid: sha512, bytes: good.bytes }]),
      ).rejects.toMatchObject({ name: 'BlockError', code: 'unsupported-cid' });
      expect(await place.list()).toEqual([]);
      await log.append([good, blockOf(new Uint8Array(MAX_BLOCK_BYTES))]);
      expect((await reopen(relaxed)).found).toHaveLength(2);
    });

    it('refuses an append before it was recovered and while another one runs', async () => {
      const blocks = randomBlocks(seeded(10), 3, 100);
      const log = await Log.open(place, relaxed);
      await log.append(blocks.slice(0, 1));
      const again = await Log.open(place, relaxed);
      expect(() => again.append(blocks)).toThrow(/before recover/);
      for await (const batch of again.recover()) {
        expect(batch).toHaveLength(1);
        expect(() => again.append(blocks)).toThrow(StorageError);
      }
      const slow = new FailingPlace(place);
      const running = await Log.open(slow, { ...relaxed, prefix: 'slow' });
      slow.room = 0;
      const first = running.append(blocks);
      expect(() => running.append(blocks)).toThrow(/one call at a time/);
      await expect(first).rejects.toMatchObject({ code: 'full' });
      await running.append(blocks);
      expect(running.end.offset).toBeGreaterThan(0);
    });

    it.each([{ prefix: '../a' }, { prefix: '' }, { segmentBytes: 0 }, { segmentBytes: 1.5 }])(
      'refuses the options %j',
      async (wrong) => {
        await expect(Log.open(place, { ...relaxed, ...wrong })).rejects.toMatchObject({
          name: 'LedgerError',
          code: 'invalid-option',
        });
      },
    );

    // --- failing places ---

    it('is as it was after an append that failed, whatever part of it was written', async () => {
      const blocks = randomBlocks(seeded(11), 4, 100);
      const failing = new FailingPlace(place);
      for (const before of [0, 1]) {
        const log = await Log.open(failing, { ...oneSegment, prefix: `p${before}` });
        await log.append(blocks.slice(0, before));
        const { end } = log;
        for (const room of [0, 1, 50, 150, 250]) {
          failing.room = room;
          await expect(log.append(blocks.slice(1))).rejects.toMatchObject({ code: 'full' });
          expect(log.end).toEqual(end);
          expect(await sizeOf(place, `p${before}-00000001.car`)).toBe(end.offset);
        }
        await log.append(blocks.slice(3));
        const { log: again, found } = await recovered({ ...oneSegment, prefix: `p${before}` });
        expect(cidsOf(found)).toEqual(cidsOf([...blocks.slice(0, before), ...blocks.slice(3)]));
        expect(again.damage).toEqual([]);
      }
    });

    it('cuts off later what it could not cut off at once', async () => {
      const blocks = randomBlocks(seeded(12), 3, 100);
      for (const before of [0, 1]) {
        const failing = new FailingPlace(place);
        const log = await Log.open(failing, { ...oneSegment, prefix: `p${before}` });
        await log.append(blocks.slice(0, before));
        const { end } = log;
        failing.room = 90;
        failing.failTruncate = true;
        await expect(log.append(blocks.slice(1, 2))).rejects.toMatchObject({ code: 'full' });
        await expect(async () => log.append(blocks.slice(1, 2))).rejects.toMatchObject({
          code: 'io',
        });
        expect(log.end).toEqual(end);
        failing.failTruncate = false;
        await log.append(blocks.slice(2));
        const { log: again, found } = await recovered({ ...oneSegment, prefix: `p${before}` });
        expect(cidsOf(found)).toEqual(cidsOf([...blocks.slice(0, before), ...blocks.slice(2)]));
        expect(again.damage).toEqual([]);
      }
    });

    it('takes back a strict append that could not be synced', async () => {
      const blocks = randomBlocks(seeded(13), 3, 100);
      const failing = new FailingPlace(place);
      const log = await Log.open(failing, { durability: 'strict' });
      await log.append(blocks.slice(0, 1));
      failing.failSync = true;
      await expect(async () => log.append(blocks.slice(1, 2))).rejects.toMatchObject({
        code: 'io',
      });
      failing.failSync = false;
      await log.append(blocks.slice(2));
      const { found } = await reopen(relaxed);
      expect(cidsOf(found)).toEqual(cidsOf([blocks[0]!, blocks[2]!]));
    });

    // --- torn tails ---

    it('loses nothing but the torn block, wherever its tail is cut', async () => {
      const blocks = randomBlocks(seeded(20), 4, 120);
      const { bytes, frames } = await written(blocks);
      const extra = randomBlock(seeded(21), 50);
      for (let cut = 0; cut < bytes.length; cut += fixture.stride ?? 1) {
        await overwrite(place, FIRST, bytes.subarray(0, cut));
        const whole = frames.filter(({ end }) => end <= cut).length;
        const end = frames[whole - 1]?.end ?? 0;
        const { log, found } = await recovered(oneSegment);
        expect(cidsOf(found)).toEqual(cidsOf(blocks.slice(0, whole)));
        const torn = { kind: 'torn-tail', segment: FIRST, offset: end, length: cut - end };
        expect(log.damage).toEqual(cut === end ? [] : [torn]);
        expect(log.end).toEqual({ segment: 1, offset: end });
        expect(await sizeOf(place, FIRST)).toBe(end);

        await log.append([extra]);
        const { log: again, found: after } = await recovered(oneSegment);
        expect(cidsOf(after)).toEqual(cidsOf([...blocks.slice(0, whole), extra]));
        expect(again.damage).toEqual([]);
      }
    });

    it('removes a last segment of which only the header was written', async () => {
      const blocks = randomBlocks(seeded(22), 20, 300);
      const log = await Log.open(place, relaxed);
      for (const block of blocks) await log.append([block]);
      const { end } = log;
      const next = end.segment + 1;
      const name = `log-0000000${next}.car`;
      const header = carHeader([blocks[0]!.cid]);
      await place.append(name, header);
      const { log: again, found } = await reopen(relaxed);
      expect(cidsOf(found)).toEqual(cidsOf(blocks));
      expect(again.damage).toEqual([
        { kind: 'torn-tail', segment: name, offset: 0, length: header.length },
      ]);
      expect(await sizeOf(place, name)).toBe(0);
      expect(again.end).toEqual(end);
    });

    it('cuts a tail whose bytes are all there but do not hash right', async () => {
      const blocks = randomBlocks(seeded(23), 3, 100);
      const { bytes, frames } = await written(blocks);
      const zeroed = bytes.slice();
      zeroed.fill(0, frames[2]!.start + 60);
      await overwrite(place, FIRST, zeroed);
      const { log, found } = await recovered(oneSegment);
      expect(cidsOf(found)).toEqual(cidsOf(blocks.slice(0, 2)));
      expect(log.damage[0]).toMatchObject({ kind: 'torn-tail', offset: frames[2]!.start });
      expect(await sizeOf(place, FIRST)).toBe(frames[1]!.end);
    });

    // --- corrupt blocks ---

    it('loses one block at most for any one flipped byte, says where, and leaves the rest', async () => {
      const seed = newSeed();
      const random = seeded(seed);
      const blocks = randomBlocks(random, 5, 100);
      const { bytes, frames } = await written(blocks);
      for (let at = 0; at < bytes.length; at += fixture.stride ?? 1) {
        const flipped = bytes.slice();
        flipped[at]! ^= 1 << random(8);
        await overwrite(place, FIRST, flipped);
        const { log, found } = await recovered(oneSegment);
        const hit = frames.findIndex(({ start, end }) => at >= start && at < end);
        const message = `seed ${seed}, byte ${at}`;
        if (hit !== -1 && found[hit]?.cid.code !== 0x71 && found.length === blocks.length) {
          // The codec stands outside of what is hashed: the block is there, by another name.
          expect(cidsOf(found.filter((_, i) => i !== hit)), message).toEqual(
            cidsOf(blocks.filter((_, i) => i !== hit)),
          );
          const renamed = CID.createV1(0x71, found[hit]!.cid.multihash);
          expect(renamed.toString(), message).toBe(blocks[hit]!.cid.toString());
          continue;
        }
        expect(cidsOf(found), message).toEqual(cidsOf(blocks.filter((_, i) => i !== hit)));
        const { start, end } = frames[hit] ?? { start: 0, end: frames[0]!.start };
        const kind = hit === blocks.length - 1 ? 'torn-tail' : 'corrupt-block';
        const damage = { kind, segment: FIRST, offset: start, length: end - start };
        expect(log.damage, message).toEqual([damage]);
        if (kind === 'corrupt-block') {
          expect(equalBytes(await readWhole(place, FIRST), flipped), message).toBe(true);
        }
      }
    });

    it('finds all blocks outside of overwritten parts, in every segment', async () => {
      const seed = newSeed();
      const random = seeded(seed);
      const blocks = randomBlocks(random, 60, 200);
      const log = await Log.open(place, { ...relaxed, segmentBytes: 3000 });
      const locations: Location[] = [];
      for (const block of blocks) locations.push(...(await log.append([block])));
      const last = log.end.segment;
      const names = new Map([...log.segments.keys()].map((n) => [n, `log-0000000${n}.car`]));
      const originals = new Map<number, Uint8Array>();
      for (const [segment, name] of names) originals.set(segment, await readWhole(place, name));

      for (let round = 0; round < 60; round++) {
        const lost = new Set<number>();
        for (const [segment, name] of names) {
          const damaged = originals.get(segment)!.slice();
          const from = random(damaged.length);
          const to = Math.min(damaged.length, from + 1 + random(600));
          const noise =
            random(2) === 0 ? new Uint8Array(to - from) : randomBytes(random, to - from);
          damaged.set(noise, from);
          await overwrite(place, name, damaged);
          for (const [i, location] of locations.entries()) {
            const { offset, length } = location;
            const prefix = carFrame(blocks[i]!)[0].length;
            const touched = offset + length > from && offset - prefix < to;
            if (location.segment === segment && touched) lost.add(i);
          }
        }
        const { log: again, found } = await recovered({ ...relaxed, segmentBytes: 3000 });
        const expected = blocks.filter((_, i) => !lost.has(i));
        const seen = new Set(cidsOf(found));
        const missing = cidsOf(expected).filter((cid) => !seen.has(cid));
        expect(missing, `seed ${seed}, round ${round}`).toEqual([]);
        for (const block of found) verifyBlock(block);
        expect(found.length, `seed ${seed}, round ${round}`).toBeLessThanOrEqual(blocks.length);
        const reported = new Set(again.damage.map(({ segment }) => segment));
        for (const i of lost) {
          if (!seen.has(blocks[i]!.cid.toString())) {
            expect(reported).toContain(names.get(locations[i]!.segment));
          }
        }
        expect(again.end.segment).toBeLessThanOrEqual(last);
      }
    });

    it('is not stopped by a length that claims more than there is', async () => {
      const blocks = randomBlocks(seeded(30), 6, 100);
      const { bytes, frames } = await written(blocks);
      const claims = [
        [0xff, 0xff, 0x7f], // just below the limit, beyond the end
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], // the largest that is read
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // no length at all
        [0x00],
        [0xd0, 0x01], // over into the blocks behind it
      ];
      for (const claim of claims) {
        const damaged = bytes.slice();
        damaged.set(claim, frames[2]!.start);
        await overwrite(place, FIRST, damaged);
        const { log, found } = await recovered(oneSegment);
        expect(cidsOf(found)).toEqual(cidsOf(blocks.filter((_, i) => i !== 2)));
        const { start, end } = frames[2]!;
        expect(log.damage).toEqual([
          { kind: 'corrupt-block', segment: FIRST, offset: start, length: end - start },
        ]);
      }
    });

    it('finds blocks behind megabytes of noise, and those of another codec', async () => {
      const random = seeded(31);
      const raw = randomBlock(random, 500);
      const blocks: Block[] = [
        randomBlock(random, 500),
        { cid: CID.createV1(0x55, raw.cid.multihash), bytes: raw.bytes },
        { cid: CID.createV1(0x0129, raw.cid.multihash), bytes: raw.bytes },
        { cid: CID.createV0(createDigest(0x12, raw.cid.multihash.digest)), bytes: raw.bytes },
        randomBlock(random, 500),
      ];
      const noise = randomBytes(random, 2_500_000);
      const parts = [carHeader([blocks[0]!.cid])];
      for (const block of blocks.slice(0, 4)) parts.push(noise, ...carFrame(block));
      // A CIDv0 is not searched for, but read where it stands behind a frame.
      parts.push(...carFrame(blocks[3]!), ...carFrame(blocks[4]!));
      await place.append(FIRST, concatBytes(parts));
      const { log, found } = await recovered(oneSegment);
      const expected = [blocks[0]!, blocks[1]!, blocks[2]!, blocks[4]!];
      expect(cidsOf(found)).toEqual(cidsOf(expected));
      expect(log.damage).toHaveLength(4);
    });

    it('gives up on bytes made of false blocks, cuts nothing, and goes on in a new segment', async () => {
      const random = seeded(32);
      const [before, behind, later] = randomBlocks(random, 3, 100);
      // Every 8 bytes another block of 1 MiB claims to begin.
      const claim = [0x80, 0x80, 0x40, 0x01, 0x71, 0x12, 0x20, 0x00];
      const trap = Uint8Array.from({ length: 3_000_000 }, (_, i) => claim[i % 8]!);
      const whole = concatBytes([
        carHeader([before!.cid]),
        ...carFrame(before!),
        trap,
        ...carFrame(behind!),
      ]);
      await place.append(FIRST, whole);
      const { log, found } = await recovered(oneSegment);
      expect(cidsOf(found)).toEqual(cidsOf([before!]));
      const start = whole.length - trap.length - concatBytes(carFrame(behind!)).length;
      expect(log.damage).toEqual([
        { kind: 'corrupt-block', segment: FIRST, offset: start, length: whole.length - start },
      ]);
      expect(await sizeOf(place, FIRST)).toBe(whole.length);
      await log.append([later!]);
      expect(await sizeOf(place, FIRST)).toBe(whole.length);
      expect(cidsOf((await recovered(oneSegment)).found)).toEqual(cidsOf([before!, later!]));
    });

    it('reports a torn segment that others follow as corrupt, and leaves it', async () => {
      const blocks = randomBlocks(seeded(33), 20, 300);
      const log = await Log.open(place, relaxed);
      const locations: Location[] = [];
      for (const block of blocks) locations.push(...(await log.append([block])));
      const size = log.segments.get(1)!;
      await place.truncate(FIRST, size - 1);
      const lost = locations.filter(({ segment }) => segment === 1).length - 1;
      const { log: again, found } = await reopen(relaxed);
      expect(cidsOf(found)).toEqual(cidsOf(blocks.filter((_, i) => i !== lost)));
      expect(again.damage).toMatchObject([{ kind: 'corrupt-block', segment: FIRST }]);
      expect(await sizeOf(place, FIRST)).toBe(size - 1);
      expect(again.end).toEqual(log.end);
    });

    it('goes on behind a segment that is not there', async () => {
      const blocks = randomBlocks(seeded(34), 30, 300);
      const log = await Log.open(place, relaxed);
      const locations: Location[] = [];
      for (const block of blocks) locations.push(...(await log.append([block])));
      await place.remove(SECOND);
      const { log: again, found } = await reopen(relaxed);
      expect(cidsOf(found)).toEqual(cidsOf(blocks.filter((_, i) => locations[i]!.segment !== 2)));
      const index = locations.findIndex(({ segment }) => segment === 2);
      expect(() => again.read(locations[index]!, blocks[index]!.cid)).toThrow(
        expect.objectContaining({ code: 'corrupt', segment: SECOND }),
      );
    });

    // --- from a position ---

    it('recovers only what comes after a position', async () => {
      const blocks = randomBlocks(seeded(40), 30, 300);
      const log = await Log.open(place, relaxed);
      const ends = [log.end];
      for (const block of blocks) {
        await log.append([block]);
        ends.push(log.end);
      }
      const damaged = await readWhole(place, FIRST);
      damaged[80]! ^= 1;
      await overwrite(place, FIRST, damaged);
      for (const [count, from] of ends.entries()) {
        if (from.segment === 1) continue;
        const again = await Log.open(place, relaxed);
        expect(cidsOf(await recoverAll(again, from))).toEqual(cidsOf(blocks.slice(count)));
        expect(again.damage).toEqual([]);
        expect(again.end).toEqual(log.end);
      }
      const again = await Log.open(place, relaxed);
      await recoverAll(again, ends.at(-1)!);
      await again.append(blocks.slice(0, 1));
      expect(cidsOf(await recoverAll(again, ends.at(-1)!))).toEqual(cidsOf(blocks.slice(0, 1)));
    });

    it('cuts a torn tail behind a position', async () => {
      const blocks = randomBlocks(seeded(41), 3, 100);
      const { bytes, frames } = await written(blocks);
      await overwrite(place, FIRST, bytes.subarray(0, -5));
      const log = await Log.open(place, oneSegment);
      expect(await recoverAll(log, { segment: 1, offset: frames[1]!.end })).toEqual([]);
      expect(log.end).toEqual({ segment: 1, offset: frames[1]!.end });
      expect(log.damage).toMatchObject([{ kind: 'torn-tail', offset: frames[1]!.end }]);
    });

    it('says so when it does not reach to the position', async () => {
      const { bytes } = await written(randomBlocks(seeded(42), 3, 100));
      for (const from of [
        { segment: 1, offset: bytes.length + 1 },
        { segment: 2, offset: 60 },
      ]) {
        const log = await Log.open(place, oneSegment);
        await expect(recoverAll(log, from)).rejects.toMatchObject({ code: 'corrupt' });
        expect(await recoverAll(log)).toHaveLength(3);
      }
    });

    // --- reading ---

    it('throws for a block that was damaged since, and reports it once', async () => {
      const [a, b] = randomBlocks(seeded(50), 2, 100);
      const log = await Log.open(place, oneSegment);
      const [first, second] = await log.append([a!, b!]);
      const bytes = await readWhole(place, FIRST);
      bytes[first!.offset + 7]! ^= 1;
      await overwrite(place, FIRST, bytes.subarray(0, -1));
      const wrong = { name: 'StorageError', code: 'corrupt', segment: FIRST };
      for (const [location, { cid }] of [
        [first!, a!],
        [first!, a!],
        [second!, b!],
      ] as const) {
        await expect(async () => log.read(location, cid)).rejects.toMatchObject({
          ...wrong,
          offset: location.offset,
        });
      }
      expect(log.damage).toEqual(
        [first!, second!].map(({ offset, length }) => ({
          kind: 'corrupt-block',
          segment: FIRST,
          offset,
          length,
        })),
      );
    });
  });
}
