import { readFile, writeFile } from 'node:fs/promises';
import { LoroDoc, type LoroMap, VersionVector } from 'loro-crdt';
import type { MemoryChannel } from '../../src/transports/memory.ts';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';

class LoroStore implements Store {
  readonly doc = new LoroDoc();
  readonly #map: LoroMap;

  constructor() {
    this.#map = this.doc.getMap('docs');
  }

  load(documents: Iterable<BenchDocument>): void {
    for (const document of documents) this.#map.set(document._id, document);
    this.doc.commit();
  }

  put(document: BenchDocument): void {
    this.#map.set(document._id, document);
    this.doc.commit();
  }

  replace(document: BenchDocument): void {
    this.put(document);
  }

  changePlays(document: BenchDocument): void {
    this.put(document);
  }

  get(id: string): BenchDocument | undefined {
    return this.#map.get(id) as unknown as BenchDocument | undefined;
  }

  count(): number {
    return this.#map.size;
  }

  subscribe(listener: (id: string) => void): void {
    this.doc.subscribe(({ by, events }) => {
      if (by !== 'import') return;
      for (const { diff } of events) {
        if (diff.type === 'map') for (const id of Object.keys(diff.updated)) listener(id);
      }
    });
  }

  async save(folder: string): Promise<void> {
    await writeFile(`${folder}/doc`, this.doc.export({ mode: 'snapshot' }));
  }

  close(): void {
    this.doc.free();
  }
}

/** A LoroMap of documents as plain values; updates since the other side's version vector. */
export function loro(): Peer<LoroStore> {
  return {
    maxFrameBytes: Infinity,
    open: () => new LoroStore(),
    async reopen(folder) {
      const store = new LoroStore();
      store.doc.import(await readFile(`${folder}/doc`));
      return store;
    },
    join,
  };
}

function join(alice: LoroStore, bob: LoroStore, pipe: Pipe): Link {
  const sides = [connect(alice.doc, pipe[0]), connect(bob.doc, pipe[1])];
  return {
    synced: Promise.all(sides.map(({ synced }) => synced)).then(() => {}),
    close: () => {
      for (const side of sides) side.stop();
      pipe[0].destroy();
    },
  };
}

const VERSION = 0;
const UPDATE = 1;
/** The answer to a version vector that lacks nothing. */
const NOTHING = 2;

function connect(doc: LoroDoc, channel: MemoryChannel): { synced: Promise<void>; stop(): void } {
  const send = (tag: number, bytes: Uint8Array): void => {
    const message = new Uint8Array(1 + bytes.length);
    message[0] = tag;
    message.set(bytes, 1);
    channel.send(message);
  };
  const synced = new Promise<void>((resolve) => {
    channel.start({
      frame: (frame) => {
        const [tag, bytes] = [frame[0] as number, (frame as Uint8Array).subarray(1)];
        if (tag === VERSION) {
          const theirs = VersionVector.decode(bytes);
          const comparison = doc.oplogVersion().compare(theirs);
          if (comparison === 0 || comparison === -1) send(NOTHING, new Uint8Array());
          else send(UPDATE, doc.export({ mode: 'update', from: theirs }));
          return;
        }
        if (tag === UPDATE) doc.import(bytes);
        resolve();
      },
      closed: () => {},
    });
  });
  const stop = doc.subscribeLocalUpdates((bytes) => send(UPDATE, bytes));
  send(VERSION, doc.oplogVersion().encode());
  return { synced, stop };
}
