import { createRxDatabase, type RxCollection } from 'rxdb/plugins/core';
import { getConnectionHandlerSimplePeer, replicateWebRTC } from 'rxdb/plugins/replication-webrtc';
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
import { filter, firstValueFrom } from 'rxjs';
import type { BenchDocument } from '../../documents.ts';
import { RXDB_SCHEMA } from '../../peers/rxdb-schema.ts';
import { serve } from '../serve.ts';

const LOAD_BATCH = 5000;
/** Of 20, as by default, 100,000 documents take minutes. */
const SYNC_BATCH = 500;

// Its data channel wants it, and the package for browsers does not bring it.
Object.assign(globalThis, { process: { nextTick: queueMicrotask, env: {} } });

serve(async (name) => {
  const database = await createRxDatabase({
    name,
    storage: getRxStorageDexie(),
    multiInstance: false,
  });
  const { docs } = await database.addCollections({ docs: { schema: RXDB_SCHEMA } });
  const collection = docs as unknown as RxCollection<BenchDocument>;
  let received = 0;
  collection.$.subscribe(() => received++);
  return {
    put: async (document) => void (await collection.incrementalUpsert(document)),
    async putAll(documents) {
      for (let from = 0; from < documents.length; from += LOAD_BATCH) {
        const { error } = await collection.bulkUpsert(documents.slice(from, from + LOAD_BATCH));
        if (error.length > 0) throw new Error(`RxDB refused ${error.length} documents`);
      }
    },
    async get(id) {
      return (await collection.findOne(id).exec())?.toMutableJSON() as BenchDocument | undefined;
    },
    count: () => collection.count().exec(),
    async connect({ signalingUrl }) {
      const pool = await replicateWebRTC({
        collection,
        topic: 'emberlink-bench',
        connectionHandlerCreator: getConnectionHandlerSimplePeer({
          signalingServerUrl: signalingUrl,
          config: { iceServers: [] },
        }),
        pull: { batchSize: SYNC_BATCH },
        push: { batchSize: SYNC_BATCH },
      });
      pool.error$.subscribe((error) => console.warn(String(error)));
      await firstValueFrom(pool.peerStates$.pipe(filter((peers) => peers.size > 0)));
    },
    async received(n) {
      while (received < n) await firstValueFrom(collection.$);
    },
    // Its events come after the write.
    stored: async () => undefined,
    close: async () => void (await database.close()),
  };
});
