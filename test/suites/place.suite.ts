import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes } from '../../src/bytes.ts';
import type { Place } from '../../src/storage/place.ts';
import { randomBytes, readWhole, seeded } from '../storage/support.ts';

/** Where the places of one test live. */
export interface PlaceFixture {
  /** A place over the same files each time; the one before it has been closed. */
  open(): Promise<Place>;
  /** Removes whatever is left after a test. */
  remove(): Promise<void>;
  /** Where files are slow to make anew: every how-many-th byte is damaged of those that all could be. */
  readonly stride?: number;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const io = { name: 'StorageError', code: 'io' };

/** The failure of an action that may fail now or later. */
async function failure(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return 'no error';
}

/** The contract that every Place keeps. */
export function placeSuite(kind: string, createFixture: () => Promise<PlaceFixture>): void {
  describe(`a place in ${kind}`, () => {
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

    it('appends to the end of a file and reads any part of it', async () => {
      await place.append('log-1.car', text('hello '));
      await place.append('log-1.car', text('world'));
      expect(await place.read('log-1.car', 0, 11)).toEqual(text('hello world'));
      expect(await place.read('log-1.car', 4, 3)).toEqual(text('o w'));
    });

    it('reads less than asked for only at the end', async () => {
      await place.append('a', text('hello'));
      expect(await place.read('a', 3, 100)).toEqual(text('lo'));
      expect(await place.read('a', 5, 1)).toEqual(new Uint8Array(0));
      expect(await place.read('a', 50, 1)).toEqual(new Uint8Array(0));
    });

    it('keeps large files byte for byte, however they are appended and read', async () => {
      const random = seeded(7);
      const whole = randomBytes(random, 1_500_000);
      for (let at = 0; at < whole.length;) {
        const part = whole.subarray(at, at + 1 + random(200_000));
        await place.append('large', part);
        at += part.length;
      }
      expect(equalBytes(await readWhole(place, 'large'), whole)).toBe(true);
      for (let i = 0; i < 20; i++) {
        const from = random(whole.length);
        const part = await place.read('large', from, 150_000);
        expect(equalBytes(part, whole.subarray(from, from + 150_000))).toBe(true);
      }
    });

    it('gives readers bytes of their own', async () => {
      const source = text('hello');
      await place.append('a', source);
      source.fill(0);
      (await place.read('a', 0, 5)).fill(1);
      expect(await place.read('a', 0, 5)).toEqual(text('hello'));
    });

    it('lists all files with their sizes', async () => {
      expect(await place.list()).toEqual([]);
      await place.append('b.car', text('123'));
      await place.append('a', text('1'));
      await place.append('a', text('2'));
      const files = [...(await place.list())].sort((x, y) => (x.name < y.name ? -1 : 1));
      expect(files).toEqual([
        { name: 'a', size: 2 },
        { name: 'b.car', size: 3 },
      ]);
    });

    it('appends after a truncation where the file now ends', async () => {
      const long = randomBytes(seeded(8), 200_000);
      await place.append('a', long);
      await place.truncate('a', 70_000);
      await place.append('a', text('!'));
      const bytes = await readWhole(place, 'a');
      expect(bytes.length).toBe(70_001);
      expect(equalBytes(bytes.subarray(0, 70_000), long.subarray(0, 70_000))).toBe(true);
      expect(bytes.at(-1)).toBe(0x21);
      await place.truncate('a', 0);
      expect(await place.list()).toEqual([{ name: 'a', size: 0 }]);
    });

    it('does not lengthen a file by truncating it', async () => {
      await place.append('a', text('hello'));
      await place.truncate('a', 9);
      expect(await place.list()).toEqual([{ name: 'a', size: 5 }]);
    });

    it('replaces a whole file, or puts a new one there', async () => {
      await place.append('a', text('a longer text'));
      await place.replace('a', text('short'));
      await place.replace('b', text('new'));
      expect(await readWhole(place, 'a')).toEqual(text('short'));
      expect(await readWhole(place, 'b')).toEqual(text('new'));
      await place.append('a', text('er'));
      expect(await readWhole(place, 'a')).toEqual(text('shorter'));
      expect(await place.list()).toHaveLength(2);
    });

    it('removes files, and does not mind when there is none', async () => {
      await place.append('a', text('1'));
      await place.remove('a');
      await place.remove('a');
      expect(await place.list()).toEqual([]);
      await place.append('a', text('2'));
      expect(await readWhole(place, 'a')).toEqual(text('2'));
    });

    it('syncs what was appended', async () => {
      await place.append('a', text('1'));
      await place.sync('a');
      expect(await readWhole(place, 'a')).toEqual(text('1'));
    });

    it('finds everything again after it was closed', async () => {
      await place.append('a', text('1'));
      await place.replace('b', text('2'));
      await place.close();
      place = await fixture.open();
      expect(await place.list()).toHaveLength(2);
      expect(await readWhole(place, 'a')).toEqual(text('1'));
      await place.append('a', text('!'));
      expect(await readWhole(place, 'a')).toEqual(text('1!'));
      expect(await readWhole(place, 'b')).toEqual(text('2'));
    });

    it('is empty after it was destroyed', async () => {
      await place.append('a', text('1'));
      await place.append('b', text('2'));
      await place.destroy();
      place = await fixture.open();
      expect(await place.list()).toEqual([]);
    });

    it('throws a StorageError for a file that is not there', async () => {
      expect(await failure(() => place.read('none', 0, 1))).toMatchObject(io);
      expect(await failure(() => place.truncate('none', 0))).toMatchObject(io);
      expect(await failure(() => place.sync('none'))).toMatchObject(io);
      expect(await place.list()).toEqual([]);
    });

    it.each(['', '.', '..', '../up', 'a/b', 'A', 'a b', 'a\0', '.hidden', 'ü'])(
      'refuses the name %j',
      async (name) => {
        expect(await failure(() => place.append(name, text('1')))).toMatchObject(io);
        expect(await failure(() => place.read(name, 0, 1))).toMatchObject(io);
        expect(await failure(() => place.replace(name, text('1')))).toMatchObject(io);
        expect(await failure(() => place.remove(name))).toMatchObject(io);
        expect(await place.list()).toEqual([]);
      },
    );

    it('throws after it was closed, and can be closed again', async () => {
      await place.append('a', text('1'));
      await place.close();
      await place.close();
      expect(await failure(() => place.list())).toMatchObject(io);
      expect(await failure(() => place.read('a', 0, 1))).toMatchObject(io);
      expect(await failure(() => place.append('a', text('2')))).toMatchObject(io);
      expect(await failure(() => place.truncate('a', 0))).toMatchObject(io);
      expect(await failure(() => place.sync('a'))).toMatchObject(io);
      expect(await failure(() => place.replace('a', text('2')))).toMatchObject(io);
      expect(await failure(() => place.remove('a'))).toMatchObject(io);
      expect(await failure(() => place.destroy())).toMatchObject(io);
      place = await fixture.open();
      expect(await readWhole(place, 'a')).toEqual(text('1'));
    });
  });
}
