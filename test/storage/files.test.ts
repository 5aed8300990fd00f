import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyBlock } from '../../src/blocks.ts';
import { FilesPlace } from '../../src/storage/files.ts';
import { Log } from '../../src/storage/log.ts';
import { logSuite } from '../suites/log.suite.ts';
import { type PlaceFixture, placeSuite } from '../suites/place.suite.ts';
import { buildChild } from '../support/built.ts';
import { cidsOf, randomBlocks, recoverAll, seeded } from './support.ts';

let base: string;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'emberlink-files-'));
});

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

async function filesFixture(): Promise<PlaceFixture> {
  const folder = join(mkdtempSync(join(base, 'place-')), 'ledger');
  return {
    open: () => FilesPlace.open(folder),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

placeSuite('a folder', filesFixture);
logSuite('a folder', filesFixture);

describe('a folder', () => {
  let folder: string;
  let place: FilesPlace;

  beforeEach(async () => {
    folder = join(mkdtempSync(join(base, 'folder-')), 'deep', 'er');
    place = await FilesPlace.open(folder);
  });

  afterEach(async () => {
    await place.close();
  });

  it('is created where it is missing, and gone when it was destroyed', async () => {
    place.append('a', new Uint8Array(3));
    await place.destroy();
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(join(folder, '..'))).toBe(true);
    place = await FilesPlace.open(folder);
  });

  it('keeps what is not its own when it is destroyed', async () => {
    place.append('a', new Uint8Array(3));
    mkdirSync(join(folder, 'photos'));
    writeFileSync(join(folder, 'My Letter.txt'), 'dear all');
    expect(place.list()).toEqual([{ name: 'a', size: 3 }]);
    await place.destroy();
    expect(readdirSync(folder).sort()).toEqual(['My Letter.txt', 'photos']);
    place = await FilesPlace.open(folder);
  });

  it('does not let the lock be taken for a file', () => {
    expect(() => place.append('lock', new Uint8Array(1))).toThrow(/belongs to the lock/);
    expect(() => place.remove('lock')).toThrow(/belongs to the lock/);
    expect(existsSync(join(folder, 'lock'))).toBe(true);
  });

  it('works on more files than it keeps open', () => {
    const names = Array.from({ length: 100 }, (_, i) => `log-${i}`);
    for (const round of [1, 2]) {
      for (const name of names) place.append(name, Uint8Array.of(round));
    }
    for (const name of names) expect(place.read(name, 0, 9)).toEqual(Uint8Array.of(1, 2));
    if (process.platform === 'linux') {
      expect(readdirSync('/proc/self/fd').length).toBeLessThan(100);
    }
  });

  it('answers reads and appends at once', async () => {
    const log = await Log.open(place, { durability: 'relaxed' });
    const [block] = randomBlocks(seeded(1), 1, 300);
    const locations = log.append([block!]);
    if (locations instanceof Promise) throw new Error('the append gave a promise');
    const bytes = log.read(locations[0]!, block!.cid);
    expect(bytes).toEqual(new Uint8Array(block!.bytes));
  });

  it('finishes syncs and replacements that are under way before it closes', async () => {
    const random = seeded(2);
    const log = await Log.open(place, { durability: 'strict' });
    const blocks = randomBlocks(random, 5, 300);
    const appended = log.append(blocks);
    const replaced = place.replace('index', new Uint8Array(500_000).fill(7));
    await place.close();
    expect(await appended).toHaveLength(5);
    await replaced;
    place = await FilesPlace.open(folder);
    const again = await Log.open(place, { durability: 'strict' });
    expect(cidsOf(await recoverAll(again))).toEqual(cidsOf(blocks));
    expect(place.list()).toContainEqual({ name: 'index', size: 500_000 });
  });

  it('may drop a file while it is synced', async () => {
    const synced: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      place.append('a', new Uint8Array(1000));
      synced.push(place.sync('a'), place.sync('a'));
      if (i % 2 === 0) place.remove('a');
      else synced.push(place.replace('a', Uint8Array.of(i)));
      await Promise.all(synced.slice(-3));
    }
    await Promise.all(synced);
    expect(place.read('a', 0, 9)).toEqual(Uint8Array.of(19));
  });

  it('removes the drafts that a killed process left', async () => {
    await place.close();
    writeFileSync(join(folder, 'index~3'), 'half');
    writeFileSync(join(folder, 'notes~old'), 'somebody else’s');
    place = await FilesPlace.open(folder);
    expect(readdirSync(folder).sort()).toEqual(['lock', 'notes~old']);
  });

  it.skipIf(!existsSync('/dev/full'))('says that the disk is full when the system says so', () => {
    symlinkSync('/dev/full', join(folder, 'a'));
    expect(() => place.append('a', new Uint8Array(10))).toThrow(
      expect.objectContaining({
        name: 'StorageError',
        code: 'full',
        cause: expect.objectContaining({ code: 'ENOSPC' }) as unknown,
      }),
    );
  });

  it('throws a StorageError where no folder can be', async () => {
    const file = join(base, 'a-file');
    writeFileSync(file, 'here');
    await expect(FilesPlace.open(file)).rejects.toMatchObject({
      name: 'StorageError',
      code: 'io',
    });
    await expect(FilesPlace.open(join(file, 'below'))).rejects.toMatchObject({ code: 'io' });
    expect(readFileSync(file, 'utf8')).toBe('here');
  });
});

it.skipIf(process.platform === 'win32')(
  'a log that meets the end of the disk says so, stays whole and goes on',
  async () => {
    const folder = mkdtempSync(join(base, 'full-'));
    const child = await buildChild('full-disk.ts');
    const ledger = join(folder, 'ledger');
    // 100 KB or 200 KB, as the shell counts; the real refusal of the system, on any file system.
    const script = `ulimit -f 200; exec "$0" "$@"`;
    const args = ['-c', script, process.execPath, child, ledger];
    const { stdout } = await promisify(execFile)('sh', args);
    const answer = JSON.parse(stdout) as {
      code: string;
      cause: string;
      sizeAfterRefusal: number;
      end: { offset: number };
      written: string[];
    };
    expect(answer).toMatchObject({ code: 'full', cause: 'EFBIG' });
    expect(answer.written.length).toBeGreaterThan(50);
    expect(answer.sizeAfterRefusal).toBe(answer.end.offset);

    const place = await FilesPlace.open(ledger);
    const log = await Log.open(place, { durability: 'relaxed' });
    const found = await recoverAll(log);
    for (const block of found) verifyBlock(block);
    expect(cidsOf(found)).toEqual(answer.written);
    expect(log.damage).toEqual([]);
    await place.close();
  },
);
