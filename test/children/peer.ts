/** A peer in a process of its own: one ledger, one Sync or room at a time, driven by messages. */
import {
  connectWebSocket,
  joinRoom,
  openLedger,
  Sync,
  type Document,
  type Ledger,
  type Room,
  type RoomOptions,
  type RoomPeer,
  type SyncStatus,
  type WebSocketSync,
  type WebSocketSyncStatus,
} from '../../src/index.ts';
import { serveWebSocket, type SyncServer } from '../../src/server.ts';
import { answerCalls } from './answer-calls.ts';

let ledger: Ledger;
let sync: Sync | WebSocketSync;
let server: SyncServer | undefined;
let room: Room | undefined;
/** The members that are linked now, and how many links there were that are no more. */
let linked = new Set<string>();
let lostLinks = 0;
let peakRss = 0;
let mostReceived = { blocks: 0, bytes: 0 };
let writing: { stop: boolean; done: Promise<string[]> } | undefined;

setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, 5).unref();

const SECRET = 'a secret of Alice and Bob';

function newSync(): Sync {
  return use(new Sync(ledger, { iceServers: [] }));
}

function use<S extends Sync | WebSocketSync>(next: S): S {
  mostReceived = { blocks: 0, bytes: 0 };
  next.subscribe((status: SyncStatus | WebSocketSyncStatus) => {
    if (status.state === 'syncing') mostReceived = status.progress.received;
  });
  sync = next;
  return next;
}

export interface RoomReport {
  readonly id: string;
  readonly servers: readonly string[];
  /** The others, by the names of their ledgers. */
  readonly peers: readonly (Pick<RoomPeer, 'id' | 'state'> & { readonly name: string })[];
  readonly lostLinks: number;
}

function countLinks({ peers }: Room): void {
  const now = peers.filter(({ state }) => state === 'syncing' || state === 'live');
  const ids = new Set(now.map(({ id }) => id));
  for (const id of linked) if (!ids.has(id)) lostLinks += 1;
  linked = ids;
}

const methods = {
  async open(name: string, folder: string, options: object = {}): Promise<void> {
    ledger = await openLedger(name, { folder, ...options });
  },
  /** Documents whose `data` has random bytes that nothing compresses. */
  async bulk(prefix: string, count: number, bytes: number): Promise<void> {
    const batch = Math.max(1, Math.floor(4e6 / bytes));
    for (let i = 0; i < count; i += batch) {
      const length = Math.min(batch, count - i);
      await ledger.bulk(
        Array.from({ length }, (_, k) => ({
          _id: `${prefix}:${String(i + k).padStart(8, '0')}`,
          data: randomBytes(bytes),
        })),
      );
    }
  },
  async put(document: Document): Promise<void> {
    await ledger.put(document);
  },
  async get(id: string): Promise<Document | undefined> {
    return ledger.get(id);
  },
  async state(): Promise<{ documents: number; digest: string; clock: string[] }> {
    return {
      documents: ledger.count(),
      digest: await ledger.digest(),
      clock: ledger.clock.map(String),
    };
  },
  offer: (): Promise<string> => newSync().offer(),
  accept: (offer: string): Promise<string> => newSync().accept(offer),
  async connect(answer: string): Promise<void> {
    (sync as Sync).connect(answer);
    await sync.connected();
  },
  /** @returns the server's port */
  async serve(port = 0): Promise<number> {
    server = await serveWebSocket(ledger, { port, secret: SECRET });
    return server.port;
  },
  async visit(port: number): Promise<void> {
    await use(connectWebSocket(ledger, `ws://127.0.0.1:${port}`, { secret: SECRET })).connected();
  },
  /** Joins a room, as a member with the name of its ledger. */
  async enter(options: RoomOptions): Promise<void> {
    room = joinRoom(ledger, { iceServers: [], info: ledger.name, ...options });
    room.subscribe(countLinks);
  },
  async room(): Promise<RoomReport> {
    const { id, status, peers } = room!;
    return {
      id,
      servers: status.signaling.map(({ status: { state } }) => state),
      peers: peers.map((peer) => ({ id: peer.id, state: peer.state, name: String(peer.info) })),
      lostLinks,
    };
  },
  roomSynced: (): Promise<void> => room!.synced(),
  connected: (): Promise<void> => sync.connected(),
  synced: (): Promise<void> => sync.synced(),
  async backlog(): Promise<void> {
    await sync.backlog();
  },
  async status(): Promise<{ state: string; error: string | undefined }> {
    const { status } = sync;
    return {
      state: status.state,
      error: status.state === 'closed' ? String(status.error) : undefined,
    };
  },
  /** Resolves when the first sync has brought so much. */
  async received(bytes: number): Promise<void> {
    if (mostReceived.bytes >= bytes) return;
    await new Promise<void>((resolve) => {
      sync.subscribe((status: SyncStatus | WebSocketSyncStatus) => {
        if (status.state === 'syncing' && status.progress.received.bytes >= bytes) resolve();
      });
    });
  },
  async closed(): Promise<string | undefined> {
    if (sync.status.state !== 'closed') {
      await new Promise<void>((resolve) => {
        sync.subscribe((status: SyncStatus | WebSocketSyncStatus) => {
          if (status.state === 'closed') resolve();
        });
      });
    }
    const { status } = sync;
    return status.state === 'closed' && status.error ? status.error.name : undefined;
  },
  async receivedSoFar(): Promise<number> {
    return mostReceived.bytes;
  },
  async cut(): Promise<void> {
    sync.destroy();
  },
  async closeSync(): Promise<void> {
    await sync.close();
  },
  async startWriting(prefix: string): Promise<void> {
    const run = { stop: false, done: Promise.resolve<string[]>([]) };
    run.done = (async () => {
      const ids: string[] = [];
      while (!run.stop) {
        const id = `${prefix}:${ids.length}`;
        await ledger.put({ _id: id, n: ids.length });
        ids.push(id);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return ids;
    })();
    writing = run;
  },
  async stopWriting(): Promise<string[]> {
    if (writing === undefined) return [];
    writing.stop = true;
    return writing.done;
  },
  /** Collects garbage, then tells the memory in use, and begins a new peak. */
  async memory(): Promise<{ rss: number; peakRss: number }> {
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const told = { rss: process.memoryUsage.rss(), peakRss };
    peakRss = told.rss;
    return told;
  },
  async end(): Promise<void> {
    await sync?.close();
    await room?.leave();
    await server?.close();
    await ledger.close();
  },
};

export type PeerMethods = typeof methods;

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65_536)));
  }
  return bytes;
}

answerCalls(methods);
