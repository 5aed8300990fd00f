import { readFile, writeFile } from 'node:fs/promises';
import * as Automerge from '@automerge/automerge';
import type { MemoryChannel } from '../../src/transports/memory.ts';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';

type Doc = Automerge.Doc<{ docs: Record<string, Record<string, unknown>> }>;

/** All replicas begin with the same change, as Automerge's documentation tells. */
const INITIAL: Uint8Array = Automerge.save(
  Automerge.from({ docs: {} }, { actor: '00000000000000000000000000000000' }),
);

class AutomergeStore implements Store {
  doc: Doc = Automerge.load(INITIAL);
  /** Sends what a write brought about. */
  readonly onWrite = new Set<() => void>();
  readonly listeners = new Set<(id: string) => void>();
  readonly #immutable: boolean;

  constructor(immutable: boolean) {
    this.#immutable = immutable;
  }

  load(documents: Iterable<BenchDocument>): void {
    this.#change((doc) => {
      for (const document of documents) doc.docs[document._id] = this.#stored(document);
    });
  }

  put(document: BenchDocument): void {
    this.#change((doc) => {
      doc.docs[document._id] = this.#stored(document);
    });
  }

  replace(document: BenchDocument): void {
    this.put(document);
  }

  changePlays({ _id, plays }: BenchDocument): void {
    this.#change((doc) => {
      doc.docs[_id]!['plays'] = plays;
    });
  }

  get(id: string): BenchDocument | undefined {
    const document = this.doc.docs[id];
    return document && (JSON.parse(JSON.stringify(document, plainStrings)) as BenchDocument);
  }

  count(): number {
    return Object.keys(this.doc.docs).length;
  }

  subscribe(listener: (id: string) => void): void {
    this.listeners.add(listener);
  }

  async save(folder: string): Promise<void> {
    await writeFile(`${folder}/doc`, Automerge.save(this.doc));
  }

  close(): void {
    Automerge.free(this.doc);
  }

  #change(change: (doc: Doc) => void): void {
    this.doc = Automerge.change(this.doc, change);
    for (const send of this.onWrite) send();
  }

  #stored(document: BenchDocument): Record<string, unknown> {
    const text = (value: unknown): unknown =>
      this.#immutable && typeof value === 'string' ? new Automerge.ImmutableString(value) : value;
    return Object.fromEntries(
      Object.entries(document).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map(text) : text(value),
      ]),
    );
  }
}

/** One document with a map of documents, whose strings are mutable texts or immutable values. */
export function automerge(immutable: boolean): Peer<AutomergeStore> {
  return {
    maxFrameBytes: Infinity,
    open: () => new AutomergeStore(immutable),
    async reopen(folder) {
      const store = new AutomergeStore(immutable);
      store.doc = Automerge.load(await readFile(`${folder}/doc`));
      return store;
    },
    join,
  };
}

function join(alice: AutomergeStore, bob: AutomergeStore, pipe: Pipe): Link {
  let underWay = 0;
  let settle = (): void => {};
  const synced = new Promise<void>((resolve) => (settle = resolve));
  const connect = (store: AutomergeStore, channel: MemoryChannel): { stop(): void } => {
    let state = Automerge.initSyncState();
    const send = (): void => {
      const [next, message] = Automerge.generateSyncMessage(store.doc, state);
      state = next;
      if (message === null) return;
      underWay++;
      channel.send(message);
    };
    channel.start({
      frame: (frame) => {
        underWay--;
        // The copy makes it the array type that Automerge's declarations ask for.
        const message = new Uint8Array(frame as Uint8Array);
        const patchCallback: Automerge.PatchCallback<unknown> = (patches) => {
          for (const id of new Set(patches.map(({ path }) => path[1]))) {
            for (const listener of store.listeners) listener(String(id));
          }
        };
        const options = store.listeners.size > 0 ? { patchCallback } : {};
        [store.doc, state] = Automerge.receiveSyncMessage(store.doc, state, message, options);
        send();
        // Neither has anything to say: what the documentation calls in sync.
        if (underWay === 0) settle();
      },
      closed: () => {},
    });
    store.onWrite.add(send);
    send();
    return { stop: () => store.onWrite.delete(send) };
  };
  const sides = [connect(alice, pipe[0]), connect(bob, pipe[1])];
  return {
    synced,
    close: () => {
      for (const side of sides) side.stop();
      pipe[0].destroy();
    },
  };
}

function plainStrings(_: string, value: unknown): unknown {
  return value instanceof Automerge.ImmutableString ? value.val : value;
}
