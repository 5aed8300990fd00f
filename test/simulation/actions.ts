import { CID } from 'multiformats/cid';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { Random } from '../support/random.ts';
import type { Edge, Network, Side } from './network.ts';
import { afterPromises } from './network.ts';
import type { SimulatedPeer } from './peer.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { Writes } from './writes.ts';

/** What an action may do things to. */
export interface World {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly peers: readonly SimulatedPeer[];
  readonly network: Network;
  readonly writes: Writes;
}

/**
 * Something that happens to a peer or on its part. What it rejects with is a failure of the run,
 * unless the peer went down meanwhile.
 */
export interface Action {
  readonly name: string;
  /** How often it is picked, beside the others. */
  readonly weight: number;
  run(world: World, peer: SimulatedPeer): Promise<void> | void;
}

function onLedger(
  name: string,
  weight: number,
  act: (world: World, peer: SimulatedPeer, ledger: Ledger) => Promise<void>,
): Action {
  return {
    name,
    weight,
    run: (world, peer) => (peer.ledger === undefined ? undefined : act(world, peer, peer.ledger)),
  };
}

function onEdge(name: string, weight: number, act: (world: World, edge: Edge) => void): Action {
  return {
    name,
    weight,
    run(world, peer) {
      const edges = world.network.edges.filter(({ peers }) => peers.includes(peer));
      act(world, world.random.pick(edges));
    },
  };
}

/**
 * Everything that happens in a simulated network. A new ability of ledgers becomes part of it by one
 * entry here (and, if it is a way to open a ledger, by one in `SimulatedPeer.open`).
 */
export const ACTIONS: readonly Action[] = [
  onLedger('put', 8, ({ writes }, peer, ledger) => writes.put(peer, ledger)),
  onLedger('patch', 10, ({ writes }, peer, ledger) => writes.patch(peer, ledger)),
  onLedger('delete', 3, ({ writes }, peer, ledger) => writes.delete(peer, ledger)),
  onLedger('bulk', 2, ({ writes }, peer, ledger) => writes.bulk(peer, ledger)),
  onLedger('resolve', 2, ({ writes }, peer, ledger) => writes.put(peer, ledger, true)),
  onLedger('write at once', 3, async ({ writes, random }, peer, ledger) => {
    const count = 2 + random.below(5);
    await Promise.all(
      Array.from({ length: count }, () =>
        random.oneIn(3) ? writes.put(peer, ledger) : writes.patch(peer, ledger),
      ),
    );
  }),
  onLedger('keep writing', 3, async ({ clock, writes, random }, peer, ledger) => {
    const times = Array.from({ length: 5 + random.below(20) }, () => random.below(8000));
    const patches = times.map(
      (afterMs) =>
        new Promise<void>((resolve, reject) => {
          clock.after(afterMs, () => void writes.patch(peer, ledger).then(resolve, reject));
        }),
    );
    await Promise.all(patches);
  }),
  onLedger('compact', 4, async (_, _peer, ledger) => {
    await ledger.compact();
  }),
  onLedger('verify', 1, async (_, peer, ledger) => {
    const { stateMatches, corrupt } = await ledger.verify();
    if (!stateMatches || corrupt.length > 0) throw new Error(`the state of ${peer.name} is wrong`);
  }),

  onEdge('connect', 14, ({ network }, edge) => network.connect(edge)),
  onEdge('connect again', 1, ({ network }, edge) => network.connect(edge, true)),
  onEdge('connect one way', 2, ({ network, random }, edge) =>
    network.connect(
      edge,
      true,
      random.pick([
        [true, false],
        [false, true],
        [false, false],
      ]),
    ),
  ),
  onEdge('cut', 6, ({ network }, edge) => {
    for (const connection of edge.connections) network.cut(connection);
  }),
  onEdge('leave', 2, ({ random }, edge) => {
    for (const { sides } of edge.connections) void random.pick(sides).session.close();
  }),
  onEdge('break off', 1, ({ random }, edge) => {
    for (const { sides } of edge.connections) random.pick(sides).session.destroy();
  }),
  {
    name: 'await synced',
    weight: 3,
    async run({ network, random }, peer) {
      const connections = network.connectionsOf(peer);
      if (connections.length > 0) await awaitSynced(random.pick(connections).sides, peer);
    },
  },

  {
    name: 'kill',
    weight: 3,
    run({ random }, peer) {
      afterPromises(random.below(40), () => peer.kill());
    },
  },
  {
    name: 'kill in a write',
    weight: 3,
    run({ random }, peer) {
      peer.run?.place.dieIn(random.below(6));
    },
  },
  {
    name: 'fill the disk',
    weight: 2,
    run({ random }, peer) {
      peer.run?.place.failFor(1 + random.below(6));
    },
  },
  {
    name: 'lose power',
    weight: 1,
    run(_, peer) {
      peer.losePower();
    },
  },
  {
    name: 'close',
    weight: 2,
    run: ({ network, random }, peer) => closePeer(network, random, peer),
  },
  {
    name: 'start',
    weight: 12,
    run: ({ random, peers }, peer) => startPeer(random, peer, peers),
  },
  {
    name: 'turn the clock',
    weight: 2,
    run({ random }, peer) {
      peer.skewMs = skew(random);
    },
  },
];

/** Right, a little wrong, or beyond the five minutes that others tolerate. */
export function skew(random: Random): number {
  if (random.oneIn(2)) return 0;
  const greatestMs = random.oneIn(3) ? 3_600_000 : 4000;
  return random.below(2 * greatestMs) - greatestMs;
}

/** One that never ran before may begin with what another one's ledger makes of itself. */
export async function startPeer(
  random: Random,
  peer: SimulatedPeer,
  peers: readonly SimulatedPeer[],
): Promise<void> {
  if (!peer.isDown) return;
  if (random.oneIn(3)) peer.loseIndex();
  const others = peers.flatMap(({ ledger }) => (ledger === undefined ? [] : [ledger]));
  const source = peer.isNew && others.length > 0 && random.oneIn(2) && random.pick(others);
  const snapshot = source ? await carOf(source) : undefined;
  // Another start may have been quicker: two processes never share a disk.
  if (peer.isDown) await peer.open(snapshot);
}

async function carOf(ledger: Ledger): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of ledger.snapshot()) chunks.push(chunk);
  } catch {
    // It was killed meanwhile.
    return undefined;
  }
  return Buffer.concat(chunks);
}

/** With its sessions closed before, broken off, or left to find out. */
async function closePeer(network: Network, random: Random, peer: SimulatedPeer): Promise<void> {
  const { run } = peer;
  const connections = network.connectionsOf(peer);
  const sides = connections.flatMap((each) => each.sides.filter((side) => side.peer === peer));
  switch (random.below(3)) {
    case 0:
      await Promise.all(sides.map(({ session }) => session.close()));
      break;
    case 1:
      for (const { session } of sides) session.destroy();
      break;
    default:
  }
  // It may have gone down meanwhile, and been started again.
  if (peer.run !== run) return;
  for (const connection of network.connectionsOf(peer)) connection.isDisturbed = true;
  await peer.close();
}

/** `synced` means: the other side has stored what this one had when it asked. */
async function awaitSynced(sides: readonly [Side, Side], peer: SimulatedPeer): Promise<void> {
  const ours = sides.find((side) => side.peer === peer)!;
  const theirs = sides.find((side) => side !== ours)!;
  const { ledger } = ours.run;
  if (ledger === undefined) return;
  const held = ours.peer.applied;
  try {
    await ours.session.synced();
  } catch {
    // The session ended before: nothing was promised.
    return;
  }
  const other = theirs.run.ledger;
  if (other === undefined || theirs.run.over) return;
  const lacking = [...held].filter(
    (key) => !theirs.peer.applied.has(key) && !other.replica.has(CID.parse(key)),
  );
  if (lacking.length > 0) {
    throw new Error(`synced, and ${theirs.peer.name} lacks ${lacking.length} commits`);
  }
}
