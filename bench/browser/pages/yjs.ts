import { IndexeddbPersistence } from 'y-indexeddb';
import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';
import type { BenchDocument } from '../../documents.ts';
import { serve } from '../serve.ts';

serve(async (name) => {
  const doc = new Y.Doc();
  const map = doc.getMap<BenchDocument>('docs');
  const persistence = new IndexeddbPersistence(name, doc);
  await persistence.whenSynced;
  /** It tells nobody when a write is done; but a later transaction waits for those before. */
  const stored = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const transaction = persistence.db!.transaction('updates', 'readwrite');
      transaction.objectStore('updates').count();
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error as Error);
    });
  return {
    async put(document) {
      map.set(document._id, document);
      await stored();
    },
    async putAll(documents) {
      doc.transact(() => {
        for (const document of documents) map.set(document._id, document);
      });
      await stored();
    },
    get: async (id) => map.get(id),
    count: () => map.size,
    connect: ({ signalingUrl }) =>
      new Promise((resolve) => {
        const peerOpts = { config: { iceServers: [] } };
        const options = { signaling: [signalingUrl], peerOpts };
        new WebrtcProvider('bench', doc, options).on('peers', ({ webrtcPeers }) => {
          if (webrtcPeers.length > 0) resolve();
        });
      }),
    async received(n) {
      while (map.size !== n) await new Promise((resolve) => doc.once('update', resolve));
    },
    stored,
    close: () => persistence.destroy(),
  };
});
