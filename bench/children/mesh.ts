import { setTimeout as wait } from 'node:timers/promises';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { Channel } from '../../src/protocol/channel.ts';
import { decodeMessage, encodeMessage } from '../../src/protocol/messages.ts';
import { Session } from '../../src/protocol/session.ts';
import { joinRoom } from '../../src/join-room.ts';
import type { Room } from '../../src/room.ts';
import { webRtcLinker } from '../../src/rooms/webrtc-linker.ts';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { MemoryNetwork } from '../../test/support/memory-linker.ts';
import { MemorySignaling } from '../../test/support/memory-signaling.ts';
import { Random } from '../../test/support/random.ts';
import { tellOutcome } from '../child.ts';
import { documentAt } from '../documents.ts';
import { quantile } from '../quantile.ts';
import type { Metrics } from '../workloads/workload.ts';

export interface MeshTask {
  readonly peers: number;
  /** Each peer is linked with those so far away on a ring; none for all with all. */
  readonly offsets: readonly number[];
  /** Documents that each peer writes. */
  readonly writes: number;
  readonly seconds: number;
  /** Frames take up to so long. */
  readonly maxDelayMs: number;
  /** True: nobody is told of blocks that came in vain, so everything is handed on at once. */
  readonly floods: boolean;
  /** The links are those that rooms make, of this kind; else those of `offsets`. */
  readonly rooms?: 'memory' | 'webrtc';
}

const SETTLE_MS = 2000;

/** A mesh of ledgers in one process, each of which writes at random moments. */
async function main(task: MeshTask): Promise<Metrics> {
  const { peers, writes } = task;
  const ledgers: Ledger[] = [];
  let blocks = 0;
  for (let i = 0; i < peers; i++) {
    const ledger = await openLedger(`peer${i}`, { storage: 'memory' });
    const { replica } = ledger;
    const receive = replica.receive.bind(replica);
    replica.receive = (received, origin) => {
      blocks += received.length;
      return receive(received, origin);
    };
    ledgers.push(ledger);
  }
  const wire: Wire = { bytes: 0, frames: 0, keys: 0 };
  const part =
    task.rooms === undefined
      ? await link(task, ledgers, wire)
      : await joinRooms(task, ledgers, wire);

  const writtenAt = new Map<string, number>();
  const latencies: number[] = [];
  for (const ledger of ledgers) {
    ledger.subscribe(({ ids, origin }) => {
      if (origin !== 'remote') return;
      for (const id of ids) latencies.push(performance.now() - writtenAt.get(id)!);
    });
  }
  const before = { ...wire };
  const random = seeded(7);
  const pending: Promise<void>[] = [];
  let number = 0;
  for (const ledger of ledgers) {
    for (let i = 0; i < writes; i++) {
      const document = documentAt(number++);
      const write = async (): Promise<void> => {
        await wait(random() * task.seconds * 1000);
        writtenAt.set(document._id, performance.now());
        await ledger.put(document);
      };
      pending.push(write());
    }
  }
  await Promise.all(pending);
  const needed = peers * writes * (peers - 1);
  while (latencies.length < needed) await wait(SETTLE_MS / 10);
  await wait(SETTLE_MS);
  const digests = new Set(await Promise.all(ledgers.map((ledger) => ledger.digest())));
  if (digests.size > 1) throw new Error('they are not the same');
  const bytes = wire.bytes - before.bytes;
  const metrics = {
    needed,
    blocks,
    blocksRatio: blocks / needed,
    bytes: bytes / needed,
    keys: (wire.keys - before.keys) / needed,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
  await part();
  return metrics;
}

type Wire = { bytes: number; frames: number; keys: number };

/** Sessions over links of our making; returns the function that ends them. */
async function link(
  task: MeshTask,
  ledgers: readonly Ledger[],
  wire: Wire,
): Promise<() => Promise<void>> {
  const sessions: Session[] = [];
  for (const [index, [a, b]] of linksOf(task).entries()) {
    const pair = createMemoryChannelPair({ maxDelayMs: task.maxDelayMs, seed: index + 1 });
    [a, b].forEach((peer, side) => {
      const channel = counted(pair[side]!, wire, task.floods);
      sessions.push(new Session(channel, ledgers[peer]!.replica));
    });
  }
  const ended = Promise.all(sessions.map((session) => session.run()));
  await Promise.all(sessions.map((session) => session.firstSync()));
  return async () => {
    for (const session of sessions) session.destroy();
    await ended;
  };
}

/** Members of one room, who link themselves; returns the function that ends it. */
async function joinRooms(
  task: MeshTask,
  ledgers: readonly Ledger[],
  wire: Wire,
): Promise<() => Promise<void>> {
  const server = new MemorySignaling();
  const network = new MemoryNetwork(new Random(1), { maxDelayMs: task.maxDelayMs });
  const rooms: Room[] = [];
  for (const ledger of ledgers) {
    const linker = task.rooms === 'memory' ? network.linker(ledger.name) : webRtcLinker();
    const room = joinRoom(ledger, {
      room: 'bench',
      secret: new Uint8Array(16),
      signaling: server.adapter(),
      iceServers: [],
      linker: (options) => {
        const making = linker(options);
        const connected = making.connected.then((made) => ({
          ...made,
          channel: counted(made.channel, wire, task.floods),
        }));
        connected.catch(() => {});
        return {
          connected,
          hear: (signal) => making.hear(signal),
          restart: () => making.restart(),
          destroy: (error) => making.destroy(error),
        };
      },
    });
    rooms.push(room);
    if (rooms.length % 5 === 0) await room.synced();
  }
  await Promise.all(rooms.map((room) => room.synced()));
  // Links that were made while the room filled go.
  await wait(SETTLE_MS * 3);
  return async () => {
    await Promise.all(rooms.map((room) => room.leave()));
  };
}

function linksOf({ peers, offsets }: MeshTask): [number, number][] {
  const links = new Map<string, [number, number]>();
  const steps = offsets.length > 0 ? offsets : Array.from({ length: peers - 1 }, (_, i) => i + 1);
  for (let from = 0; from < peers; from++) {
    for (const step of steps) {
      const to = (from + step) % peers;
      const link: [number, number] = [Math.min(from, to), Math.max(from, to)];
      if (from !== to) links.set(String(link), link);
    }
  }
  return [...links.values()];
}

/** Counts what is sent, and for a flood leaves out the word about what came in vain. */
function counted(channel: Channel, wire: Wire, floods: boolean): Channel {
  return {
    maxFrameBytes: channel.maxFrameBytes,
    get congested() {
      return channel.congested;
    },
    start: (handlers) => channel.start(handlers),
    send: (frame) => {
      const message = decodeMessage(frame as Uint8Array);
      if (message.kind === 'announce') wire.keys += message.keys.length / 16;
      if (message.kind === 'held' && floods) {
        if (message.again.length > 0) return;
        channel.send(encodeMessage(message));
      } else channel.send(frame);
      wire.bytes += frame.length;
      wire.frames++;
    },
    drained: () => channel.drained(),
    close: () => channel.close(),
    destroy: (error) => channel.destroy(error),
  };
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

await tellOutcome(main);
