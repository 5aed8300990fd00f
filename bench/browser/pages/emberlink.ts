import { openLedger, Sync } from '../../../src/index.ts';
import type { BenchDocument } from '../../documents.ts';
import { serve } from '../serve.ts';

serve(async (name) => {
  const ledger = await openLedger(name);
  const sync = new Sync(ledger, { iceServers: [] });
  return {
    put: async (document) => void (await ledger.put(document)),
    putAll: async (documents) => void (await ledger.bulk(documents)),
    get: async (id) => (await ledger.get(id)) as BenchDocument | undefined,
    count: () => ledger.count(),
    async connect({ role, send, receive }) {
      if (role === 'alice') {
        send(await sync.offer());
        sync.connect(await receive());
      } else {
        send(await sync.accept(await receive()));
      }
      await sync.connected();
    },
    received: async () => void (await sync.backlog()),
    // What the first sync has brought is stored when it is over.
    stored: async () => undefined,
    close: () => ledger.close(),
  };
});
