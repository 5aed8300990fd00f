import { createMergeableStore, type MergeableStore } from 'tinybase';
import { createFilePersister } from 'tinybase/persisters/persister-file';
import { createCustomSynchronizer, type Synchronizer } from 'tinybase/synchronizers';
import type { MemoryChannel } from '../../src/transports/memory.ts';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';

const TABLE = 'docs';
/** How TinyBase's own synchronizers write `undefined` into JSON. */
const UNDEFINED = '\uFFFC';
const REQUEST_TIMEOUT_SECONDS = 120;

class TinyBaseStore implements Store {
  readonly store: MergeableStore;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.store = createMergeableStore(name);
  }

  load(documents: Iterable<BenchDocument>): void {
    this.store.transaction(() => {
      for (const document of documents) this.put(document);
    });
  }

  put({ _id, tags, ...fields }: BenchDocument): void {
    this.store.setRow(TABLE, _id, { ...fields, tags: [...tags] });
  }

  replace(document: BenchDocument): void {
    this.put(document);
  }

  changePlays({ _id, plays }: BenchDocument): void {
    this.store.setCell(TABLE, _id, 'plays', plays);
  }

  get(id: string): BenchDocument | undefined {
    if (!this.store.hasRow(TABLE, id)) return undefined;
    return { _id: id, ...this.store.getRow(TABLE, id) } as unknown as BenchDocument;
  }

  count(): number {
    return this.store.getRowCount(TABLE);
  }

  subscribe(listener: (id: string) => void): void {
    this.store.addRowListener(TABLE, null, (_store, _table, id) => listener(id));
  }

  async save(folder: string): Promise<void> {
    const persister = createFilePersister(this.store, `${folder}/store.json`);
    await persister.save();
    await persister.destroy();
  }

  /** A store is only objects: there is nothing to close. */
  close(): void {}
}

/** A MergeableStore with one table; JSON over the pipe, as TinyBase's WebSocket synchronizer writes it. */
export function tinybase(): Peer<TinyBaseStore> {
  return {
    maxFrameBytes: Infinity,
    open: (_folder, name) => new TinyBaseStore(name),
    async reopen(folder, name) {
      const store = new TinyBaseStore(name);
      const persister = createFilePersister(store.store, `${folder}/store.json`);
      await persister.load();
      await persister.destroy();
      return store;
    },
    join,
  };
}

function join(alice: TinyBaseStore, bob: TinyBaseStore, pipe: Pipe): Link {
  let closing = false;
  // Being destroyed is told as an error too.
  const onError = (error: unknown): void => {
    if (!closing) throw error;
  };
  const sides = [
    connect(alice, bob.name, pipe[0], onError),
    connect(bob, alice.name, pipe[1], onError),
  ];
  return {
    synced: Promise.all(sides.map((synchronizer) => synchronizer.startSync())).then(() => {}),
    close: async () => {
      closing = true;
      for (const synchronizer of sides) await synchronizer.destroy();
      pipe[0].destroy();
    },
  };
}

function connect(
  store: TinyBaseStore,
  peer: string,
  channel: MemoryChannel,
  onError: (error: unknown) => void,
): Synchronizer {
  return createCustomSynchronizer(
    store.store,
    (_to, requestId, message, body) => channel.send(toJson([requestId, message, body])),
    (receive) => {
      channel.start({
        frame: (frame) => {
          const [requestId, message, body] = fromJson(frame as string) as Received;
          receive(peer, requestId, message, body);
        },
        closed: () => {},
      });
    },
    () => {},
    REQUEST_TIMEOUT_SECONDS,
    undefined,
    undefined,
    onError,
  );
}

type Receive = Parameters<Parameters<typeof createCustomSynchronizer>[2]>[0];
type Received = [Parameters<Receive>[1], Parameters<Receive>[2], Parameters<Receive>[3]];

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (part === undefined ? UNDEFINED : part));
}

function fromJson(text: string): unknown {
  return withUndefined(JSON.parse(text));
}

/** A reviver cannot bring `undefined` back: JSON.parse would drop the property. */
function withUndefined(value: unknown): unknown {
  if (value === UNDEFINED) return undefined;
  if (Array.isArray(value)) return value.map(withUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object)) object[key] = withUndefined(object[key]);
  return object;
}
