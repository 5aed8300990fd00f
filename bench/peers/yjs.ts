import { readFile, writeFile } from 'node:fs/promises';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as syncProtocol from 'y-protocols/sync';
import * as Y from 'yjs';
import type { MemoryChannel } from '../../src/transports/memory.ts';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';

class YjsStore implements Store {
  readonly doc = new Y.Doc();
  readonly #nested: boolean;
  readonly #map: Y.Map<unknown>;

  constructor(nested: boolean) {
    this.#nested = nested;
    this.#map = this.doc.getMap('docs');
  }

  load(documents: Iterable<BenchDocument>): void {
    this.doc.transact(() => {
      for (const document of documents) this.put(document);
    });
  }

  put(document: BenchDocument): void {
    this.#map.set(document._id, this.#nested ? new Y.Map(Object.entries(document)) : document);
  }

  replace(document: BenchDocument): void {
    this.put(document);
  }

  changePlays(document: BenchDocument): void {
    if (!this.#nested) return this.put(document);
    (this.#map.get(document._id) as Y.Map<unknown>).set('plays', document.plays);
  }

  get(id: string): BenchDocument | undefined {
    const value = this.#map.get(id);
    return (value instanceof Y.Map ? value.toJSON() : value) as BenchDocument | undefined;
  }

  count(): number {
    return this.#map.size;
  }

  subscribe(listener: (id: string) => void): void {
    this.#map.observeDeep((events, { local }) => {
      if (local) return;
      for (const { path, keys } of events) {
        if (path.length > 0) listener(String(path[0]));
        else for (const id of keys.keys()) listener(id);
      }
    });
  }

  async save(folder: string): Promise<void> {
    await writeFile(`${folder}/doc`, Y.encodeStateAsUpdate(this.doc));
  }

  close(): void {
    this.doc.destroy();
  }
}

/** A Y.Map of documents: as plain values, or as a Y.Map each, which merges per field. */
export function yjs(nested: boolean): Peer<YjsStore> {
  return {
    maxFrameBytes: Infinity,
    open: () => new YjsStore(nested),
    async reopen(folder) {
      const store = new YjsStore(nested);
      Y.applyUpdate(store.doc, await readFile(`${folder}/doc`));
      return store;
    },
    join,
  };
}

function join(alice: YjsStore, bob: YjsStore, pipe: Pipe): Link {
  const sides = [connect(alice.doc, pipe[0]), connect(bob.doc, pipe[1])];
  return {
    synced: Promise.all(sides.map(({ synced }) => synced)).then(() => {}),
    close: () => {
      for (const side of sides) side.stop();
      pipe[0].destroy();
    },
  };
}

function connect(doc: Y.Doc, channel: MemoryChannel): { synced: Promise<void>; stop(): void } {
  const origin = {};
  const send = (write: (encoder: encoding.Encoder) => void): void => {
    const encoder = encoding.createEncoder();
    write(encoder);
    if (encoding.length(encoder) > 0) channel.send(encoding.toUint8Array(encoder));
  };
  const onUpdate = (update: Uint8Array, from: unknown): void => {
    if (from !== origin) send((encoder) => syncProtocol.writeUpdate(encoder, update));
  };
  const synced = new Promise<void>((resolve) => {
    channel.start({
      frame: (frame) => {
        send((encoder) => {
          const decoder = decoding.createDecoder(frame as Uint8Array);
          const kind = syncProtocol.readSyncMessage(decoder, encoder, doc, origin);
          if (kind === syncProtocol.messageYjsSyncStep2) resolve();
        });
      },
      closed: () => {},
    });
  });
  doc.on('update', onUpdate);
  send((encoder) => syncProtocol.writeSyncStep1(encoder, doc));
  return { synced, stop: () => doc.off('update', onUpdate) };
}
