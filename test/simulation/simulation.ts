import { createHash } from 'node:crypto';
import { LedgerError, StorageError } from '../../src/errors.ts';
import type { Frame } from '../../src/protocol/channel.ts';
import { replaceRandomValues } from '../support/random-values.ts';
import type { Random } from '../support/random.ts';
import { ACTIONS, type Action, skew, startPeer, type World } from './actions.ts';
import { checkAgreement } from './agreement.ts';
import { CommitRecord } from './commit-record.ts';
import { Network, type Topology, TOPOLOGIES } from './network.ts';
import { type PeerOptions, SimulatedPeer } from './peer.ts';
import { VirtualClock } from './virtual-clock.ts';
import { Writes } from './writes.ts';

/** What came of a run. */
export interface Outcome {
  /** Names everything that happened, in order: equal for equal runs. */
  readonly trace: string;
  readonly topology: Topology;
  readonly peers: number;
  readonly frames: number;
  readonly commits: number;
  readonly acknowledged: number;
  /** How often each action was taken. */
  readonly actions: ReadonlyMap<string, number>;
}

/** A run that takes more steps than this after the network has healed will never be quiet. */
const MAX_QUIET_STEPS = 200_000;

/**
 * One run of a network of peers, of which all follows from the seed: first things happen to it at
 * random, then it is healed and left alone until nothing moves, and then all peers must agree.
 * @throws Error for the first thing that went wrong
 */
export async function simulate(random: Random): Promise<Outcome> {
  const clock = new VirtualClock();
  const failures: unknown[] = [];
  const failed = (error: unknown): void => void failures.push(error);
  const uninstall = clock.install();
  const restore = replaceRandomValues((length) => random.bytes(length));
  // What nobody catches is told with the seed, too.
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);
  try {
    return await run(clock, random, failures);
  } finally {
    process.off('uncaughtException', failed);
    process.off('unhandledRejection', failed);
    restore();
    uninstall();
  }
}

async function run(clock: VirtualClock, random: Random, failures: unknown[]): Promise<Outcome> {
  const trace = createHash('sha256');
  const failed = (error: unknown): void => void failures.push(error);
  const record = new CommitRecord();
  const peers: SimulatedPeer[] = [];
  const surroundings = {
    clock,
    random,
    record,
    died: (_: SimulatedPeer, ended: Parameters<Network['died']>[0]) => network.died(ended),
    isHeldElsewhere: (holder: SimulatedPeer, key: string) =>
      peers.some((peer) => peer !== holder && peer.applied.has(key)),
  };
  const topology = random.pick(TOPOLOGIES);
  const isLarge = random.oneIn(topology === 'dense' ? 2 : 12);
  const count = isLarge ? 6 + random.below(11) : 2 + random.below(4);
  for (let i = 0; i < count; i++) {
    peers.push(new SimulatedPeer(`peer-${i}`, randomOptions(random), surroundings));
    peers[i]!.skewMs = skew(random);
  }
  let frames = 0;
  const arrives = (frame: Frame): void => {
    frames++;
    trace.update(`${clock.nowMs}`).update(frame);
  };
  const network: Network = new Network(topology, { clock, random, peers, failed, arrives });
  const writes = new Writes(random);
  const world: World = { clock, random, peers, network, writes };
  const actions = new Map<string, number>();

  const take = (action: Action, peer: SimulatedPeer): void => {
    actions.set(action.name, (actions.get(action.name) ?? 0) + 1);
    trace.update(`${clock.nowMs} ${action.name} ${peer.name}`);
    const before = peer.run;
    Promise.resolve(action.run(world, peer)).catch((error: unknown) => {
      const isClosed = error instanceof LedgerError && error.code === 'closed';
      if (isClosed && before !== undefined && before.ledger === undefined) return;
      if (!(error instanceof StorageError && before?.place.hasFailed)) failed(error);
    });
  };

  await settle(
    clock,
    // Some come later.
    peers.filter((_, i) => i === 0 || !random.oneIn(5)).map((peer) => peer.open()),
  );
  schedule(clock, random, peers, take);
  await clock.run(clock.nowMs + 60_000);
  throwFirst(failures);

  // Everything comes back, and the last time that anything is lost is over.
  for (const { run: running } of peers) {
    running?.place.dieIn(Infinity);
    running?.place.failFor(0);
  }
  await clock.run(clock.nowMs + 60_000);
  await settle(
    clock,
    peers.map((peer) => startPeer(random, peer, peers)),
  );
  throwFirst(failures);
  network.heal();
  await clock.run(Infinity, MAX_QUIET_STEPS);
  throwFirst(failures);

  const check = checkAgreement(world, record).catch(failed);
  await settle(clock, [check]);
  throwFirst(failures);
  return {
    trace: trace.digest('hex'),
    topology,
    peers: count,
    frames,
    commits: record.keys.length,
    acknowledged: writes.acknowledged.length,
    actions,
  };
}

/** Actions come alone and in bursts, over less than a minute. */
function schedule(
  clock: VirtualClock,
  random: Random,
  peers: readonly SimulatedPeer[],
  take: (action: Action, peer: SimulatedPeer) => void,
): void {
  const lottery = ACTIONS.flatMap((action) => Array.from({ length: action.weight }, () => action));
  const spanMs = random.pick([50, 3000, 50_000]);
  const bursts = 3 + random.below(15) + peers.length;
  for (let burst = 0; burst < bursts; burst++) {
    const atMs = random.below(spanMs);
    const size = random.oneIn(3) ? 1 + random.below(8) : 1;
    for (let i = 0; i < size; i++) {
      clock.after(atMs, () => take(random.pick(lottery), random.pick(peers)));
    }
  }
}

function randomOptions(random: Random): PeerOptions {
  return {
    durability: random.oneIn(2) ? 'strict' : 'relaxed',
    segmentBytes: random.pick([300, 2000, 64 * 1024 * 1024]),
    cacheBytes: random.pick([0, 2000, 8 * 1024 * 1024]),
    recentBytes: random.pick([0, 500, 4 * 1024 * 1024]),
    history: random.oneIn(3) ? 'full' : 'recent',
    slowestDiskMs: random.oneIn(3) ? random.pick([1, 20, 500]) : 0,
  };
}

/** Turns the clock until all of this is done. */
async function settle(clock: VirtualClock, work: readonly Promise<unknown>[]): Promise<void> {
  let done = false;
  const all = Promise.all(work).finally(() => {
    done = true;
  });
  all.catch(() => undefined);
  await clock.run(clock.nowMs);
  for (let turns = 0; !done && turns < 10_000; turns++) await clock.run(clock.nowMs + 1000);
  if (!done) throw new Error('what was begun never ends');
  await all;
}

function throwFirst(failures: readonly unknown[]): void {
  if (failures.length > 0) throw failures[0];
}
