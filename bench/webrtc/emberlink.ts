import { documentAt, documents } from '../documents.ts';
import { emberlink } from '../peers/emberlink.ts';
import { Sync } from '../../src/sync.ts';
import { expectDocuments } from '../workloads/stores.ts';
import type { Side, SideTask } from './side.ts';

export async function emberlinkSide(task: SideTask, log: 'disk' | 'memory'): Promise<Side> {
  const { role, n, folder } = task;
  const store = await emberlink({ log: log }).open(folder, role);
  if (role === 'alice') await store.load(documents(0, n));
  // One machine: no STUN server is needed.
  const sync = new Sync(store.ledger, { iceServers: [] });
  return {
    async connect(introducer) {
      if (role === 'alice') {
        introducer.send(await sync.offer());
        sync.connect(await introducer.receive());
      } else {
        introducer.send(await sync.accept(await introducer.receive()));
      }
      await sync.connected();
    },
    async complete() {
      await sync.backlog();
      if (store.count() !== n) throw new Error(`${store.count()} documents, not ${n}`);
      await expectDocuments(store, [documentAt(0), documentAt(n - 1)]);
    },
  };
}
