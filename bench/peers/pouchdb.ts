import { readFile, writeFile } from 'node:fs/promises';
import memoryAdapter from 'pouchdb-adapter-memory';
import PouchDB, { type PouchReplication } from 'pouchdb-core';
import replication from 'pouchdb-replication';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';
import { RemotePouch, servePouch } from './remote-pouch.ts';

PouchDB.plugin(memoryAdapter).plugin(replication);

const LOAD_BATCH = 5000;
const REPLICATION_BATCH = 500;

class PouchStore implements Store {
  readonly database: PouchDB;
  #stop = (): void => {};

  constructor(name: string) {
    this.database = new PouchDB(name, { adapter: 'memory' });
  }

  async load(documents: Iterable<BenchDocument>): Promise<void> {
    let batch: object[] = [];
    for (const document of documents) {
      batch.push(document);
      if (batch.length < LOAD_BATCH) continue;
      await this.#bulk(batch);
      batch = [];
    }
    await this.#bulk(batch);
  }

  async #bulk(batch: readonly object[], options: object = {}): Promise<void> {
    const results = await this.database.bulkDocs(batch, options);
    if (results.some((result) => 'error' in result)) throw new Error('PouchDB refused a document');
  }

  async put(document: BenchDocument): Promise<void> {
    await this.database.put(document);
  }

  changePlays(document: BenchDocument): Promise<void> {
    return this.replace(document);
  }

  async replace(document: BenchDocument): Promise<void> {
    const { _rev } = await this.database.get(document._id);
    await this.database.put({ ...document, _rev });
  }

  async get(id: string): Promise<BenchDocument | undefined> {
    const { _rev, ...document } = await this.database.get(id);
    return document as unknown as BenchDocument;
  }

  async count(): Promise<number> {
    return (await this.database.info()).doc_count;
  }

  subscribe(listener: (id: string) => void): void {
    const changes = this.database.changes({ live: true, since: 'now' });
    void changes.on('change', ({ id }: { id: string }) => listener(id));
    this.#stop = () => changes.cancel();
  }

  async save(folder: string): Promise<void> {
    const { rows } = await this.database.allDocs({ include_docs: true });
    await writeFile(`${folder}/dump.json`, JSON.stringify(rows.map(({ doc }) => doc)));
  }

  async restore(folder: string): Promise<void> {
    const dump = JSON.parse(await readFile(`${folder}/dump.json`, 'utf8')) as object[];
    for (let at = 0; at < dump.length; at += LOAD_BATCH) {
      await this.#bulk(dump.slice(at, at + LOAD_BATCH), { new_edits: false });
    }
  }

  async close(): Promise<void> {
    this.#stop();
    await this.database.close();
  }
}

/** The memory adapter; Bob replicates both ways with Alice, whose methods he calls over the pipe. */
export function pouchdb(): Peer<PouchStore> {
  return {
    maxFrameBytes: Infinity,
    open: (_folder, name) => new PouchStore(name),
    async reopen(folder, name) {
      const store = new PouchStore(name);
      await store.restore(folder);
      return store;
    },
    join,
  };
}

function join(alice: PouchStore, bob: PouchStore, pipe: Pipe, { live }: { live: boolean }): Link {
  servePouch(alice.database, pipe[0]);
  const remote = new RemotePouch(pipe[1]);
  const options = { batch_size: REPLICATION_BATCH };
  let running: PouchReplication | undefined;
  const sync = async (): Promise<void> => {
    await PouchDB.sync(bob.database, remote, options);
    if (!live) return;
    running = PouchDB.sync(bob.database, remote, { ...options, live: true });
    await new Promise((resolve) => running!.once('paused', resolve));
  };
  return {
    synced: sync(),
    close: () => {
      running?.cancel();
      pipe[0].destroy();
    },
  };
}
