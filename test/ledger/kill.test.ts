import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openLedger } from '../../src/open-ledger.ts';
import { buildChild } from '../support/built.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';

const KILLS = setting('EMBERLINK_KILLS', 150);
/** After so many kills the writers get a new folder, so that its first moments are met often too. */
const KILLS_PER_FOLDER = 20;

let program: string;

beforeAll(async () => {
  program = await buildChild('busy-writer.ts');
});

describe.concurrent('every acknowledged write is there after a kill at any moment', () => {
  test.each(['relaxed', 'strict'] as const)(
    'when durability is %s',
    async (durability) => {
      let acknowledged = 0;
      await forSeeds(Math.ceil(KILLS / 2 / KILLS_PER_FOLDER), async (random) => {
        acknowledged += await killOften(random, durability, KILLS_PER_FOLDER);
      });
      expect(acknowledged).toBeGreaterThan(0);
    },
    60_000 + KILLS * 5000,
  );
});

/** What may be found of a document: the last acknowledged writing, or one asked for after that. */
type Candidates = Map<string, { number: number; content: string | undefined }[]>;

async function killOften(random: Random, durability: string, kills: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'emberlink-kill-'));
  const candidates: Candidates = new Map();
  let next = 0;
  let acknowledged = 0;
  for (let kill = 0; kill < kills; kill++) {
    const said = await runAndKill(
      [folder, durability, String(random.below(2 ** 31)), String(next)],
      random.oneIn(10) ? 0 : random.below(150),
    );
    for (const line of said) {
      const [sign, number, id, content] = line.split(' ');
      if (sign === '?') {
        next = Number(number) + 1;
        const written = content === '-' ? undefined : content!;
        const all = candidates.get(id!) ?? [{ number: -1, content: undefined }];
        candidates.set(id!, [...all, { number: next - 1, content: written }]);
      } else if (sign === '!') {
        acknowledged++;
        acknowledge(candidates, Number(number));
      }
    }
    await checkFolder(folder, candidates, random);
  }
  rmSync(folder, { recursive: true });
  return acknowledged;
}

/** Starts a writer, kills it so many ms after it began, and tells what it had said. */
async function runAndKill(args: readonly string[], afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [program, ...args]);
  let said = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (said === '') setTimeout(() => child.kill('SIGKILL'), afterMs);
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== null) throw new Error(`the writer ended by itself: ${complaints}`);
  // The last line may be cut off.
  return said.split('\n').slice(0, -1);
}

function acknowledge(candidates: Candidates, number: number): void {
  for (const [id, all] of candidates) {
    const index = all.findIndex((candidate) => candidate.number === number);
    if (index < 0) continue;
    // Of several writings of one document in one transaction the last one counts.
    candidates.set(id, [all[index]!, ...all.slice(index + 1)]);
    return;
  }
}

async function checkFolder(folder: string, candidates: Candidates, random: Random): Promise<void> {
  if (random.oneIn(3)) rmSync(join(folder, 'busy', 'index'), { force: true });
  const ledger = await openLedger('busy', { folder, segmentBytes: 20_000 });
  try {
    const { damage, missing, unreadable } = ledger.recovery;
    expect(damage.filter(({ kind }) => kind !== 'torn-tail')).toEqual([]);
    expect([missing, unreadable]).toEqual([[], []]);
    if (random.oneIn(5)) {
      expect(await ledger.verify()).toMatchObject({ corrupt: [], stateMatches: true });
    }
    const { rows } = await ledger.allDocs();
    const found = new Map(rows.map(({ id, doc }) => [id, doc['content']]));
    for (const [id, allowed] of candidates) {
      const content = found.get(id) as string | undefined;
      if (!allowed.some((candidate) => candidate.content === content)) {
        const names = allowed.map((one) => `${one.number} ${one.content?.slice(0, 20)}`);
        throw new Error(`${id} holds ${content?.slice(0, 20)}, not one of: ${names.join(', ')}`);
      }
      // What was found is what the next writer builds on.
      candidates.set(id, [{ number: -1, content }]);
      found.delete(id);
    }
    expect([...found.keys()]).toEqual([]);
  } finally {
    await ledger.close();
  }
}
