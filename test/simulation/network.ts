import { ConnectionError, ProtocolError } from '../../src/errors.ts';
import { Session } from '../../src/protocol/session.ts';
import type { Frame } from '../../src/protocol/channel.ts';
import type { Random } from '../support/random.ts';
import { SimulatedLink } from './link.ts';
import type { Run, SimulatedPeer } from './peer.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Two peers that may talk to each other. */
export interface Edge {
  readonly peers: readonly [SimulatedPeer, SimulatedPeer];
  readonly connections: Connection[];
}

/** One side of a connection. */
export interface Side {
  readonly peer: SimulatedPeer;
  readonly run: Run;
  readonly session: Session;
}

export interface Connection {
  readonly link: SimulatedLink;
  readonly sides: readonly [Side, Side];
  /** True when one side or both take nothing: it does not make the peers agree. */
  readonly isOneWay: boolean;
  /** True when somebody closed a ledger under it, which ends the session with an error. */
  isDisturbed: boolean;
  cut: boolean;
  sessionsOver: number;
}

export type Topology = (typeof TOPOLOGIES)[number];
export const TOPOLOGIES = ['pairs', 'chain', 'ring', 'star', 'mesh', 'dense', 'changing'] as const;

/** Frames that never fill, frames as WebRTC has them, and some between. */
const FRAME_BYTES = [1024, 1500, 4096, 65_536];

/** Connections between peers: who may talk to whom, and how well. */
export class Network {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #failed: (error: unknown) => void;
  readonly #arrives: (frame: Frame) => void;
  readonly edges: readonly Edge[];
  /** Cut connections are made anew when this is true. */
  isHealed = false;
  connections = 0;

  constructor(
    topology: Topology,
    world: {
      readonly clock: VirtualClock;
      readonly random: Random;
      readonly peers: readonly SimulatedPeer[];
      failed(error: unknown): void;
      /** Told of every frame that arrives anywhere. */
      arrives(frame: Frame): void;
    },
  ) {
    this.#clock = world.clock;
    this.#random = world.random;
    this.#failed = (error) => world.failed(error);
    this.#arrives = (frame) => world.arrives(frame);
    this.edges = pairsOf(topology, world.peers.length, world.random).map(([a, b]) => ({
      peers: [world.peers[a]!, world.peers[b]!],
      connections: [],
    }));
  }

  get live(): Connection[] {
    return this.edges.flatMap((edge) => edge.connections);
  }

  /**
   * Joins two peers whose ledgers are open, unless they are joined.
   * @param takes which of them store what the other one has
   */
  connect(edge: Edge, again = false, takes: readonly [boolean, boolean] = [true, true]): void {
    const [alice, bob] = edge.peers;
    if (alice.ledger === undefined || bob.ledger === undefined) return;
    const joins = (each: Connection): boolean => !each.isOneWay && !each.cut && !each.link.isOver;
    if (!again && edge.connections.some(joins)) return;
    this.connections++;
    const link = this.#makeLink(() => this.cut(connection));
    const sides = [alice, bob].map((peer, side): Side => {
      const greet = side === 1 && this.#random.oneIn(8) ? 'after-peer' : 'first';
      const session = new Session(link.ends[side]!, peer.ledger!.replica, {
        greet,
        takes: takes[side]!,
        compression: this.#random.pick(['auto', 'always', 'never']),
      });
      return { peer, run: peer.run!, session };
    }) as unknown as [Side, Side];
    const connection: Connection = {
      link,
      sides,
      isOneWay: takes.includes(false),
      isDisturbed: false,
      cut: false,
      sessionsOver: 0,
    };
    edge.connections.push(connection);
    for (const side of sides) {
      side.session.run().then(
        () => this.#onOver(edge, connection, side, undefined),
        (error: unknown) => this.#onOver(edge, connection, side, error),
      );
    }
  }

  /** The line breaks, now or some promises later; each side notices in its own time. */
  cut(connection: Connection): void {
    connection.cut = true;
    const notice = (): number => (this.#random.oneIn(2) ? 0 : this.#random.below(15_000));
    const times: [number, number] = [notice(), notice()];
    afterPromises(this.#random.below(30), () => connection.link.cut(times));
  }

  /** What the end of a process does to its connections. */
  died(run: Run): void {
    for (const connection of this.live) {
      if (!connection.sides.some((side) => side.run === run)) continue;
      connection.cut = true;
      const times = connection.sides.map((side) =>
        side.run === run ? 0 : this.#random.below(15_000),
      ) as [number, number];
      connection.link.cut(times);
    }
  }

  connectionsOf(peer: SimulatedPeer): Connection[] {
    return this.live.filter(({ sides }) => sides.some((side) => side.peer === peer));
  }

  /** From now on every edge is connected, and connected again when it ends. */
  heal(): void {
    this.isHealed = true;
    for (const edge of this.edges) {
      for (const connection of edge.connections) {
        if (connection.cut) connection.link.cut([0, 0]);
      }
      this.connect(edge);
    }
  }

  #onOver(edge: Edge, connection: Connection, side: Side, error: unknown): void {
    if (!side.run.over && !isExpected(error, connection)) this.#failed(error);
    connection.sessionsOver++;
    if (connection.sessionsOver < 2) return;
    edge.connections.splice(edge.connections.indexOf(connection), 1);
    if (this.isHealed) this.#clock.after(100, () => this.connect(edge));
  }

  /** Some lines break as a frame arrives: before it is read, or in the middle of what it sets off. */
  #makeLink(breaks: () => void): SimulatedLink {
    const random = this.#random;
    let framesLeft = this.isHealed || random.oneIn(2) ? Infinity : random.below(40);
    const slow = random.oneIn(3);
    const pair = (value: () => number): [number, number] => [value(), value()];
    return new SimulatedLink(this.#clock, random, {
      latencyMs: pair(() => random.below(slow ? 800 : 20)),
      bytesPerMs: pair(() => (random.oneIn(4) ? 2 + random.below(50) : 50_000)),
      jitterMs: random.oneIn(2) ? 0 : random.below(200),
      maxFrameBytes: random.pick(FRAME_BYTES),
      highWaterMark: random.oneIn(3) ? 2000 : 1024 * 1024,
      arrives: (frame) => {
        this.#arrives(frame);
        if (framesLeft-- === 0) breaks();
      },
    });
  }
}

function isExpected(error: unknown, connection: Connection): boolean {
  if (error === undefined || error instanceof ConnectionError) return true;
  const disturbed =
    connection.isDisturbed || connection.sides.some(({ run }) => run.place.hasFailed);
  if (!(error instanceof ProtocolError) || !disturbed) return false;
  return error.code === 'storage-failed' || error.code === 'aborted-by-peer';
}

/** Calls back after so many promises have settled: in the middle of whatever is going on. */
export function afterPromises(count: number, callback: () => void): void {
  if (count === 0) callback();
  else void Promise.resolve().then(() => afterPromises(count - 1, callback));
}

function pairsOf(topology: Topology, count: number, random: Random): [number, number][] {
  const next = (from: number): [number, number] => [from, from + 1];
  const chain = Array.from({ length: count - 1 }, (_, from) => next(from));
  switch (topology) {
    // Pairs that meet anew all the time, joined so that news gets everywhere.
    case 'pairs':
    case 'chain':
      return chain;
    case 'ring':
      return count < 3 ? chain : [...chain, [0, count - 1]];
    case 'star':
      return chain.map(([from]) => [0, from + 1]);
    case 'mesh':
      return chain.flatMap(([from]) =>
        Array.from({ length: count - from - 1 }, (_, i): [number, number] => [from, from + 1 + i]),
      );
    case 'changing':
      return [...treeOf(count, random), ...somePairs(count, count, random)];
    // Every peer has several ways to every other one.
    case 'dense':
      return withoutCopies([...treeOf(count, random), ...somePairs(3 * count, count, random)]);
  }
}

function treeOf(count: number, random: Random): [number, number][] {
  return Array.from({ length: count - 1 }, (_, from) => [random.below(from + 1), from + 1]);
}

function somePairs(most: number, count: number, random: Random): [number, number][] {
  const pairs = Array.from({ length: most }, (_, i): [number, number] => {
    const [from, to] = [i % count, random.below(count)];
    return from < to ? [from, to] : [to, from];
  });
  return pairs.filter(([from, to]) => from !== to);
}

function withoutCopies(pairs: readonly [number, number][]): [number, number][] {
  return [...new Map(pairs.map((pair) => [String(pair), pair])).values()];
}
