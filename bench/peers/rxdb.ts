import { readFile, writeFile } from 'node:fs/promises';
import { filter, firstValueFrom, map, Subject } from 'rxjs';
import {
  addRxPlugin,
  createRxDatabase,
  rxStorageInstanceToReplicationHandler,
  type RxCollection,
  type RxDatabase,
  type RxReplicationPullStreamItem,
} from 'rxdb/plugins/core';
import { RxDBJsonDumpPlugin } from 'rxdb/plugins/json-dump';
import { replicateRxCollection } from 'rxdb/plugins/replication';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import type { MemoryChannel } from '../../src/transports/memory.ts';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';
import { RXDB_SCHEMA } from './rxdb-schema.ts';

type Checkpoint = unknown;

addRxPlugin(RxDBJsonDumpPlugin);

const LOAD_BATCH = 5000;

export class RxdbStore implements Store {
  readonly name: string;
  readonly database: RxDatabase;
  readonly collection: RxCollection<BenchDocument>;

  private constructor(name: string, database: RxDatabase, collection: RxCollection<BenchDocument>) {
    this.name = name;
    this.database = database;
    this.collection = collection;
  }

  static async open(name: string): Promise<RxdbStore> {
    const database = await createRxDatabase({
      name,
      storage: getRxStorageMemory(),
      multiInstance: false,
    });
    const { docs } = await database.addCollections({ docs: { schema: RXDB_SCHEMA } });
    return new RxdbStore(name, database, docs as unknown as RxCollection<BenchDocument>);
  }

  async load(documents: Iterable<BenchDocument>): Promise<void> {
    let batch: BenchDocument[] = [];
    const flush = async (): Promise<void> => {
      const { error } = await this.collection.bulkUpsert(batch);
      if (error.length > 0) throw new Error(`RxDB refused ${error.length} documents`);
      batch = [];
    };
    for (const document of documents) {
      batch.push(document);
      if (batch.length === LOAD_BATCH) await flush();
    }
    await flush();
  }

  async put(document: BenchDocument): Promise<void> {
    await this.collection.incrementalUpsert(document);
  }

  replace(document: BenchDocument): Promise<void> {
    return this.put(document);
  }

  async changePlays({ _id, plays }: BenchDocument): Promise<void> {
    const document = await this.collection.findOne(_id).exec();
    await document!.incrementalPatch({ plays });
  }

  async get(id: string): Promise<BenchDocument | undefined> {
    const document = await this.collection.findOne(id).exec();
    return document === null ? undefined : document.toMutableJSON();
  }

  count(): Promise<number> {
    return this.collection.count().exec();
  }

  subscribe(listener: (id: string) => void): void {
    this.collection.$.subscribe(({ documentId }) => listener(documentId));
  }

  async save(folder: string): Promise<void> {
    const dump = await this.collection.exportJSON();
    await writeFile(`${folder}/dump.json`, JSON.stringify(dump));
  }

  async close(): Promise<void> {
    await this.database.close();
  }
}

/**
 * Memory storage; the messages of RxDB's own WebSocket plugin over the pipe: Alice answers as the
 * master, Bob replicates with her.
 */
export function rxdb(batchSize: number): Peer<RxdbStore> {
  return {
    maxFrameBytes: Infinity,
    open: (_folder, name) => RxdbStore.open(name),
    async reopen(folder, name) {
      const store = await RxdbStore.open(name);
      const dump = JSON.parse(await readFile(`${folder}/dump.json`, 'utf8')) as never;
      await store.collection.importJSON(dump);
      return store;
    },
    join: (alice, bob, pipe) => join(alice, bob, pipe, batchSize),
  };
}

type Request = { id: string; collection: 'docs' } & (
  | { method: 'masterChangesSince'; params: [checkpoint: never, size: number] }
  | { method: 'masterWrite'; params: [rows: never] }
  | { method: 'masterChangeStream$'; params: [] }
);

interface Answer {
  id: string;
  collection: 'docs';
  result: unknown;
}

function join(alice: RxdbStore, bob: RxdbStore, pipe: Pipe, batchSize: number): Link {
  const stopServing = serve(alice, pipe[0]);
  const messages = new Subject<Answer>();
  const channel = pipe[1];
  channel.start({
    frame: (frame) => messages.next(JSON.parse(frame as string) as Answer),
    closed: () => {},
  });
  let requests = 0;
  const ask = async (method: string, params: unknown[]): Promise<unknown> => {
    const id = `${bob.database.token}|${requests++}`;
    const answer = firstValueFrom(messages.pipe(filter((message) => message.id === id)));
    channel.send(JSON.stringify({ id, collection: 'docs', method, params }));
    return (await answer).result;
  };
  const replication = replicateRxCollection<BenchDocument, Checkpoint>({
    collection: bob.collection,
    replicationIdentifier: `with ${alice.name}`,
    live: true,
    pull: {
      batchSize,
      stream$: messages.pipe(
        filter(({ id }) => id === 'stream'),
        map(({ result }) => result as RxReplicationPullStreamItem<BenchDocument, Checkpoint>),
      ),
      handler: (checkpoint, size) =>
        ask('masterChangesSince', [checkpoint, size]) as Promise<never>,
    },
    push: { batchSize, handler: (rows) => ask('masterWrite', [rows]) as Promise<never> },
  });
  channel.send(
    JSON.stringify({ id: 'stream', collection: 'docs', method: 'masterChangeStream$', params: [] }),
  );
  const failed = firstValueFrom(replication.error$).then((error) => {
    throw error;
  });
  const synced = replication.awaitInitialReplication().then(async () => {
    await replication.awaitInSync();
  });
  return {
    // The error stream completes without a value when the replication is cancelled.
    synced: Promise.race([synced, failed]),
    close: async () => {
      failed.catch(() => {});
      await replication.cancel();
      stopServing();
      pipe[0].destroy();
    },
  };
}

function serve({ collection, database }: RxdbStore, channel: MemoryChannel): () => void {
  const handler = rxStorageInstanceToReplicationHandler(
    collection.storageInstance,
    collection.conflictHandler,
    database.token,
  );
  let stop = (): void => {};
  const answer = async (request: Request): Promise<void> => {
    const { id } = request;
    const send = (result: unknown): void =>
      channel.send(JSON.stringify({ id, collection: 'docs', result } satisfies Answer));
    switch (request.method) {
      case 'masterChangesSince':
        return send(await handler.masterChangesSince(...request.params));
      case 'masterWrite':
        return send(await handler.masterWrite(...request.params));
      case 'masterChangeStream$': {
        const subscription = handler.masterChangeStream$.subscribe(send);
        stop = () => subscription.unsubscribe();
      }
    }
  };
  channel.start({
    frame: (frame) => void answer(JSON.parse(frame as string) as Request),
    closed: () => {},
  });
  return () => stop();
}
