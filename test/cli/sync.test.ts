import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLedger, Sync } from '../../src/index.ts';
import { Cli, exitCode, linesOf } from './cli.ts';

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.build('sync');
});

afterAll(() => cli.remove());

const LOCAL = ['--ice-server', 'none'];

type Child = ChildProcessWithoutNullStreams;

/** Two processes that pasted each other's strings, and what each of them prints next. */
async function introduce(
  alice: Child,
  bob: Child,
): Promise<{ fromAlice: () => Promise<string>; fromBob: () => Promise<string> }> {
  const fromAlice = linesOf(alice);
  const fromBob = linesOf(bob);
  bob.stdin.write(`${await fromAlice()}\n`);
  alice.stdin.write(`${await fromBob()}\n`);
  return { fromAlice, fromBob };
}

async function fill(ledger: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `${ledger}-${String(i).padStart(5, '0')}`);
  const records = ids.map((id) => JSON.stringify({ _id: id, text: 'x'.repeat(100) }));
  await cli.runWith(records.join('\n'), 'import', '-', '-l', ledger);
  return ids;
}

test('offer and accept bring two ledgers to the same documents, then both processes end', async () => {
  const ids = [...(await fill('alice', 3000)), ...(await fill('bob', 500))];
  const alice = cli.start('offer', '-l', 'alice', ...LOCAL);
  const bob = cli.start('accept', '-l', 'bob', ...LOCAL);
  const { fromAlice, fromBob } = await introduce(alice, bob);
  const told = await fromAlice();
  const [, sent, received] = /^in sync: sent (\d+) blocks? .*, received (\d+) blocks? /.exec(told)!;
  expect(Number(sent)).toBeGreaterThan(Number(received));
  expect(await fromBob()).toMatch(`in sync: sent ${received} block`);
  expect(await Promise.all([exitCode(alice), exitCode(bob)])).toEqual([0, 0]);

  const digests: unknown[] = [];
  for (const ledger of ['alice', 'bob']) {
    expect(await cli.values('list', '--ids', '-l', ledger)).toEqual(ids);
    const [report] = (await cli.values('verify', '-l', ledger)) as [{ digest: unknown }];
    digests.push(report.digest);
  }
  expect(digests[0]).toBe(digests[1]);
});

test('offer and accept speak JSON, and the offer may be an argument', async () => {
  await cli.run('put', '{"_id":"c"}', '-l', 'carol');
  const carol = cli.start('offer', '--json', '-l', 'carol', ...LOCAL);
  const fromCarol = linesOf(carol);
  const { offer } = JSON.parse(await fromCarol()) as { offer: string };
  const dave = cli.start('accept', offer, '--json', '-l', 'dave', ...LOCAL);
  const fromDave = linesOf(dave);
  const { answer } = JSON.parse(await fromDave()) as { answer: string };
  carol.stdin.write(`${answer}\n`);
  const report = JSON.parse(await fromDave()) as unknown;
  expect(report).toMatchObject({ synced: true, sent: { blocks: 0 }, received: { blocks: 1 } });
  expect(JSON.parse(await fromCarol())).toMatchObject({ synced: true, sent: { blocks: 1 } });
  expect(await Promise.all([exitCode(carol), exitCode(dave)])).toEqual([0, 0]);
  expect(await cli.values('get', 'c', '-l', 'dave')).toEqual([{ _id: 'c' }]);
});

test('wrong pastes are refused with a reason and asked for again', async () => {
  const alice = cli.start('offer', '-l', 'erin', ...LOCAL);
  const bob = cli.start('accept', '-l', 'frank', ...LOCAL);
  let complaints = '';
  alice.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const fromAlice = linesOf(alice);
  const fromBob = linesOf(bob);
  const offer = await fromAlice();
  alice.stdin.write(`hello\n${offer}\n`);
  bob.stdin.write(`${offer}\n`);
  alice.stdin.write(`> ${await fromBob()}\n`);
  expect(await fromAlice()).toMatch(/^in sync/);
  expect(await Promise.all([exitCode(alice), exitCode(bob)])).toEqual([0, 0]);
  expect(complaints.match(/Try again:/g)).toHaveLength(2);
  expect(complaints).toContain('this is your own offer');
});

test('an end of stdin where an answer was expected is a failure that says so', async () => {
  const nothing = await cli.run('offer', '-l', 'alone', ...LOCAL);
  expect(nothing.code).toBe(1);
  expect(nothing.stderr).toContain('stdin ended before anything was pasted');
  const nonsense = await cli.runWith('nonsense', 'accept', '-l', 'alone', '--json', ...LOCAL);
  expect(nonsense.code).toBe(1);
  expect(JSON.parse(nonsense.stderr)).toMatchObject({
    error: { name: 'SignalError', code: 'not-a-signal' },
  });
});

test('with --live both stay connected until Ctrl-C, and the other side then ends in order', async () => {
  await fill('grace', 10);
  const grace = cli.start('offer', '--live', '-l', 'grace', ...LOCAL);
  const heidi = cli.start('accept', '--live', '-l', 'heidi', ...LOCAL);
  const { fromAlice, fromBob } = await introduce(grace, heidi);
  expect(await fromAlice()).toMatch(/^in sync: sent 1 block/);
  expect(await fromBob()).toMatch(/^in sync: sent 0 blocks/);
  expect([grace.exitCode, heidi.exitCode]).toEqual([null, null]);
  heidi.kill('SIGINT');
  expect(await exitCode(heidi)).toBe(130);
  expect(await exitCode(grace)).toBe(0);
  expect(await cli.values('verify', '-l', 'heidi')).toMatchObject([{ sound: true, documents: 10 }]);
});

test('Ctrl-C while an answer is awaited is exit code 130', async () => {
  const ivan = cli.start('offer', '-l', 'ivan', ...LOCAL);
  await linesOf(ivan)();
  ivan.kill('SIGINT');
  expect(await exitCode(ivan)).toBe(130);
  expect((await cli.run('list', '-l', 'ivan')).code).toBe(0);
});

test('with --live a change that a program writes is printed as it arrives', async () => {
  const ledger = await openLedger('here', { storage: 'memory' });
  const judy = cli.start('offer', '--live', '--json', '-l', 'judy', ...LOCAL);
  const fromJudy = linesOf(judy);
  const { offer } = JSON.parse(await fromJudy()) as { offer: string };
  const sync = new Sync(ledger, { iceServers: [] });
  judy.stdin.write(`${await sync.accept(offer)}\n`);
  expect(JSON.parse(await fromJudy())).toMatchObject({ synced: true });
  await ledger.put({ _id: 'news' });
  expect(JSON.parse(await fromJudy())).toEqual({ changed: ['news'], more: 0 });
  await sync.close();
  await ledger.close();
  expect(await exitCode(judy)).toBe(0);
});
