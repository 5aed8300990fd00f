import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cli } from './cli.ts';

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.build('inspect');
});

afterAll(() => cli.remove());

/** Two writers of one field that did not know of each other; alice then has both. */
async function disagree(alice: string, bob: string): Promise<void> {
  await cli.run('put', '{"_id":"doc","v":"from alice"}', '-l', alice);
  await cli.run('put', '{"_id":"doc","v":"from bob"}', '-l', bob);
  await move(bob, alice);
}

async function move(from: string, to: string): Promise<void> {
  const path = join(cli.folder, `${from}.car`);
  await cli.run('export', path, '-l', from);
  await cli.run('import', path, '-l', to);
}

test('inspect draws how commits of two writers part and meet', async () => {
  await disagree('alice', 'bob');
  await cli.run('put', '{"_id":"other"}', '-l', 'alice');
  const { stdout } = await cli.run('inspect', '-l', 'alice');
  const [facts, picture] = stdout.split('\n\n');
  expect(facts).toMatch(/^documents {2}2$/m);
  expect(facts).toMatch(/^commits {4}3, \d+ B$/m);
  expect(facts).toMatch(/^heads {6}bafyrei\w+$/m);
  const lines = picture!.trimEnd().split('\n');
  expect(lines.map((line) => line.replace(/ +bafyrei.*/, ''))).toEqual([
    '●',
    '├─╮',
    expect.stringMatching(/^(● │|│ ●)$/),
    expect.stringMatching(/^(●| {2}●)$/),
  ]);
  expect(picture).toContain('1 put: other');
});

test('inspect for programs gives the newest commits with their parents, newest first', async () => {
  for (let i = 0; i < 5; i++) await cli.run('put', `{"_id":"d${i}"}`, '-l', 'chain');
  await cli.run('del', 'd0', '-l', 'chain');
  interface Summary {
    clock: unknown[];
    commits: number;
    documents: number;
    segments: { name: string; bytes: number }[];
    newest: { cid: unknown; parents: unknown[]; puts: number; deletes: number; ids: string[] }[];
  }
  const [summary] = (await cli.values('inspect', '-l', 'chain', '--limit', '3')) as [Summary];
  const { newest } = summary;
  expect(summary).toMatchObject({ commits: 6, documents: 4 });
  expect(newest.map(({ ids }) => ids)).toEqual([['d0'], ['d4'], ['d3']]);
  expect(newest[0]).toMatchObject({ cid: summary.clock[0], puts: 0, deletes: 1 });
  expect(newest[0]!.parents).toEqual([newest[1]!.cid]);
  expect(newest[1]!.parents).toEqual([newest[2]!.cid]);
  expect(summary.segments.map(({ name }) => name)).toContain('log-00000001.car');
  expect((await cli.run('inspect', '-l', 'chain', '--limit', '3')).stdout).toContain(
    '3 older commits',
  );
});

test('conflicts shows what both wrote until put --resolve settles it', async () => {
  await disagree('carol', 'dave');
  const [conflict] = (await cli.values('conflicts', 'doc', '-l', 'carol')) as [
    { kind: string; field: string; versions: { value: string }[] },
  ];
  expect(conflict).toMatchObject({ kind: 'field', field: 'v' });
  expect(conflict.versions.map(({ value }) => value).sort()).toEqual(['from alice', 'from bob']);
  const forPeople = (await cli.run('conflicts', 'doc', '-l', 'carol')).stdout;
  expect(forPeople).toMatch(/^v: 2 versions\n→ .*\n {2}.*\n$/);

  await cli.run('put', '{"_id":"doc","v":"both"}', '--resolve', '-l', 'carol');
  expect(await cli.values('conflicts', 'doc', '-l', 'carol')).toEqual([]);
  const settled = await cli.run('conflicts', 'doc', '-l', 'carol');
  expect(settled).toMatchObject({ code: 0, stdout: '', stderr: 'no conflicts\n' });
});

test('verify finds a byte that changed on disk: exit code 5', async () => {
  const records = Array.from({ length: 50 }, (_, i) => `{"_id":"${i}","text":"${'x'.repeat(50)}"}`);
  await cli.runWith(records.join('\n'), 'import', '-', '-l', 'damaged');
  await cli.run('put', '{"_id":"later"}', '-l', 'damaged');
  const whole = await cli.run('verify', '-l', 'damaged');
  expect(whole.code).toBe(0);
  expect(whole.stdout).toMatch(/documents {2}51\n[^]*the ledger is whole\n$/);

  const folder = join(cli.folder, 'ledgers', 'damaged');
  const segment = (await readdir(folder)).find((name) => name.startsWith('log-'))!;
  const bytes = await readFile(join(folder, segment));
  bytes[bytes.indexOf('xxxx') + 5]! ^= 1;
  await writeFile(join(folder, segment), bytes);

  const forPeople = await cli.run('verify', '-l', 'damaged');
  expect(forPeople.code).toBe(5);
  expect(forPeople.stdout).toMatch(/bafyrei\w+: [^]*DAMAGED\n$/);
  const forPrograms = await cli.run('verify', '-l', 'damaged', '--json');
  expect(forPrograms.code).toBe(5);
  expect(JSON.parse(forPrograms.stdout)).toMatchObject({ sound: false });
});
