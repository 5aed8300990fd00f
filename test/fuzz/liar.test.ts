import { expect, test } from 'vitest';
import { EmberlinkError } from '../../src/errors.ts';
import type { Validate } from '../../src/ledger/guard.ts';
import { guardReplica } from '../../src/ledger/guard-replica.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { Session } from '../../src/protocol/session.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import type { VirtualClock } from '../simulation/virtual-clock.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { forSeeds, type Random, setting, withSeed } from '../support/random.ts';
import { expectSound, linkOf, onVirtualTime } from './encounter.ts';
import { lie, LyingChannel, LyingReplica } from './liar.ts';

const FUZZ_RUNS = setting('EMBERLINK_FUZZ_RUNS', 300);

const MAX_PARKED_BYTES = 20_000;

/** More than any conversation of these small ledgers takes. */
const MAX_STEPS = 100_000;

/** Seeds that failed once. */
const REMEMBERED: readonly number[] = [];

test(
  'a peer that lies ends its own session at most; the ledger and its other sessions go on',
  async () => {
    const codes = new Map<string, number>();
    await forSeeds(FUZZ_RUNS, async (random) => {
      const ending = await onVirtualTime((clock) => meetLiar(clock, random));
      codes.set(ending, (codes.get(ending) ?? 0) + 1);
    });
    // Lies that are never noticed, and lies that always are, would be no test.
    const commons = ['live', 'bad-block', 'unexpected-message', 'malformed-frame', 'refused'];
    for (const common of commons) {
      expect(codes.get(common), common).toBeGreaterThan(0);
    }
  },
  60_000 + FUZZ_RUNS * 1000,
);

test.each(REMEMBERED)('the lies of seed %i harm nobody', async (seed) => {
  await withSeed(seed, async (random) => {
    await onVirtualTime((clock) => meetLiar(clock, random));
  });
});

/** @returns the code of the error that the session with the liar ended with, or its state */
async function meetLiar(clock: VirtualClock, random: Random): Promise<string> {
  const now = (): number => Math.floor(START_MS + clock.nowMs);
  const files: MemoryFiles = new Map();
  const storage = new MemoryPlace(files);
  const alice = await openLedger('alice', { storage, now, maxParkedBytes: MAX_PARKED_BYTES });
  const carol = await openLedger('carol', { storage: 'memory', now });
  const mallory = await openLedger('mallory', { storage: 'memory', now });
  await write(random, alice, 'shared');
  for (const each of [carol, mallory]) {
    if (random.oneIn(2)) await each.replica.receive(await blocksOf(alice));
    await write(random, each, each.name);
  }
  if (random.oneIn(4)) await write(random, alice, 'alice');
  const before = await blocksOf(alice);
  const told = await blocksOf(mallory);

  const lying = new LyingReplica(random, told, mallory.clock);
  const wrong = linkOf(clock, random);
  const wrongChannel = new LyingChannel(wrong.ends[0], random);
  const honest = linkOf(clock, random);
  const takes = !random.oneIn(4);
  const isGuarded = random.oneIn(4);
  const towardsMallory = isGuarded ? guardReplica(alice.replica, nothingOfMallory) : alice.replica;
  const sessions = {
    mallory: new Session(wrongChannel, lying),
    toMallory: new Session(wrong.ends[1], towardsMallory, { takes }),
    carol: new Session(honest.ends[0], carol.replica),
    toCarol: new Session(honest.ends[1], alice.replica),
  };
  // What the liar thinks of its end is its own business.
  sessions.mallory.run().catch(() => undefined);
  const ended = Promise.allSettled([sessions.toMallory.run()]);
  const undisturbed = Promise.all([sessions.carol.run(), sessions.toCarol.run()]);
  undisturbed.catch(() => undefined);

  for (let i = random.below(6); i > 0; i--) {
    clock.after(random.below(300), () => lying.tell(lie(random, told)));
    clock.after(random.below(300), () => void alice.put({ _id: `live-${i}`, n: i }));
    clock.after(random.below(300), () => void carol.put({ _id: `live-${i}`, n: -i }));
  }
  await clock.run(clock.nowMs + 5000, MAX_STEPS);

  const { state } = sessions.toMallory;
  const error = state.kind === 'ended' ? state.error : undefined;
  if (error !== undefined) expect(error).toBeInstanceOf(EmberlinkError);
  expect([sessions.carol.state.kind, sessions.toCarol.state.kind]).toEqual(['live', 'live']);
  await expectSound(
    alice,
    before.map(({ cid }) => cid.toString()),
  );
  if (!takes || isGuarded) {
    for (const prefix of PREFIXES) {
      expect((await alice.allDocs({ prefix })).rows).toEqual([]);
    }
  }
  expect(await carol.digest()).toBe(await alice.digest());
  expect(parkedBytes(storage)).toBeLessThanOrEqual(2 * MAX_PARKED_BYTES);
  // What is said to a liar is what it lacks, lists, and short answers.
  const most = 8 * sizeOf(await blocksOf(alice)) + 64 * wrongChannel.framesSaid + 10_000;
  expect(wrong.ends[1].bytesSent).toBeLessThan(most);

  const closing = [sessions.toMallory.close(), sessions.carol.close()];
  await clock.run(Infinity, MAX_STEPS);
  await Promise.all([...closing, ended, undisturbed]);
  for (const ledger of [alice, carol, mallory]) await ledger.close();
  return error instanceof EmberlinkError ? error.code : state.kind;
}

const PREFIXES = ['mallory-', 'lie'];

/** What a guard refuses that takes no lie. */
const nothingOfMallory: Validate = (incoming) =>
  incoming.kind === 'commit' &&
  !incoming.operations.some(({ id }) => PREFIXES.some((prefix) => id.startsWith(prefix)));

async function write(random: Random, ledger: Ledger, prefix: string): Promise<void> {
  for (let n = random.below(6); n > 0; n--) {
    await ledger.put({
      _id: `${prefix}-${random.below(3)}`,
      n,
      text: 'x'.repeat(random.below(3000)),
    });
  }
  await ledger.put({ _id: 'all', [prefix]: random.below(100) });
}

function parkedBytes(place: MemoryPlace): number {
  const parked = place.list().filter(({ name }) => name.startsWith('parked'));
  return parked.reduce((sum, { size }) => sum + size, 0);
}

function sizeOf(blocks: readonly { bytes: Uint8Array }[]): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
