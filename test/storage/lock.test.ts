import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FilesPlace } from '../../src/storage/files.ts';
import { buildChild } from '../support/built.ts';
import { Child } from './children.ts';

let base: string;
let script: string;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'emberlink-lock-'));
  script = await buildChild('hold-lock.ts');
});

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('the lock of a folder', () => {
  let folder: string;
  let lock: string;
  let children: Child[];

  beforeEach(() => {
    folder = mkdtempSync(join(base, 'ledger-'));
    lock = join(folder, 'lock');
    children = [];
  });

  afterEach(async () => {
    await Promise.all(children.map((child) => child.kill()));
  });

  function spawnChild(): Child {
    const child = new Child(process.execPath, [script, folder]);
    children.push(child);
    return child;
  }

  /** A lock as a killed process leaves it. */
  async function deadLock(): Promise<string> {
    const child = spawnChild();
    expect(await child.ask('open')).toBe('held');
    await child.kill();
    return readFileSync(lock, 'utf8');
  }

  it('is refused to a second opener in the same process until the first one closes', async () => {
    const first = await FilesPlace.open(folder);
    await expect(FilesPlace.open(folder)).rejects.toMatchObject({
      name: 'LedgerError',
      code: 'locked',
      message: expect.stringMatching(new RegExp(`${folder}.*${process.pid}`)) as string,
    });
    await first.close();
    const second = await FilesPlace.open(folder);
    await second.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused to another process until this one closes, and the other way round', async () => {
    const child = spawnChild();
    const place = await FilesPlace.open(folder);
    expect(await child.ask('open')).toMatch(
      new RegExp(`^locked .*${folder}.* pid ${process.pid}$`),
    );
    await place.close();
    expect(await child.ask('open')).toBe('held');
    await expect(FilesPlace.open(folder)).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(String(child.process.pid)) as string,
    });
    expect(await child.ask('close')).toBe('closed');
    await (await FilesPlace.open(folder)).close();
  });

  it('is refused to a worker thread of the same process', async () => {
    const place = await FilesPlace.open(folder);
    const worker = new Worker(script, { argv: [folder], stdin: true, stdout: true });
    const lines = createInterface({ input: worker.stdout })[Symbol.asyncIterator]();
    worker.stdin!.write('open\n');
    expect((await lines.next()).value).toMatch(/^locked /);
    await place.close();
    worker.stdin!.write('open\n');
    expect((await lines.next()).value).toBe('held');
    await expect(FilesPlace.open(folder)).rejects.toMatchObject({ code: 'locked' });
    await worker.terminate();
  });

  it('is taken over at once from a process that was killed', async () => {
    await deadLock();
    expect(existsSync(lock)).toBe(true);
    const place = await FilesPlace.open(folder);
    expect(readFileSync(lock, 'utf8')).toMatch(new RegExp(`^${process.pid}\n`));
    await place.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    'is taken over when its pid belongs to a later process',
    async () => {
      const dead = await deadLock();
      const [, born, token] = dead.split('\n');
      writeFileSync(lock, `${process.pid}\n${born}\n${token}\n`);
      await (await FilesPlace.open(folder)).close();
      writeFileSync(lock, `1\n${born}\n${token}\n`);
      await (await FilesPlace.open(folder)).close();
    },
  );

  it.each(['', 'nonsense', '12\n', '-1\n\n00000000000000000000000000000000\n', '\0'.repeat(5000)])(
    'is taken over when a power loss left it as %j',
    async (content) => {
      writeFileSync(lock, content);
      const place = await FilesPlace.open(folder);
      await expect(FilesPlace.open(folder)).rejects.toMatchObject({ code: 'locked' });
      await place.close();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it('is taken over from a process that died while it took over', async () => {
    const first = await deadLock();
    rmSync(lock);
    const second = await deadLock();
    writeFileSync(lock, first);
    const token = first.split('\n')[2];
    writeFileSync(`${lock}.1-after-${token}`, second);
    const place = await FilesPlace.open(folder);
    await expect(FilesPlace.open(folder)).rejects.toMatchObject({ code: 'locked' });
    await place.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is not removed by an owner whose lock another one replaced', async () => {
    const dead = await deadLock();
    const place = await FilesPlace.open(folder);
    writeFileSync(lock, dead);
    await place.close();
    expect(readFileSync(lock, 'utf8')).toBe(dead);
  });

  it('goes to exactly one of several that race for it', async () => {
    const dead = await deadLock();
    const racers = Array.from({ length: 5 }, () => spawnChild());
    await Promise.all(racers.map((racer) => racer.ask('close')));
    for (let round = 0; round < 60; round++) {
      // Every third time there is no lock at all.
      if (round % 3 !== 0) writeFileSync(lock, dead);
      const answers = await Promise.all(racers.map((racer) => racer.ask('open')));
      const winners = answers.filter((answer) => answer === 'held');
      expect(winners, answers.join('; ')).toHaveLength(1);
      expect(answers.filter((answer) => answer.startsWith('locked '))).toHaveLength(4);
      const winner = racers[answers.indexOf('held')]!;
      expect(readFileSync(lock, 'utf8')).toMatch(new RegExp(`^${winner.process.pid}\n`));
      expect(await winner.ask('close')).toBe('closed');
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});
