import { filter, firstValueFrom } from 'rxjs';
import { getConnectionHandlerSimplePeer, replicateWebRTC } from 'rxdb/plugins/replication-webrtc';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import wrtc from 'wrtc';
import { documents } from '../documents.ts';
import { RxdbStore } from '../peers/rxdb.ts';
import type { Side, SideTask } from './side.ts';

const POLL_MS = 1;

export async function rxdbSide(task: SideTask, batchSize: number): Promise<Side> {
  const { role, n, signalingUrl } = task;
  const store = await RxdbStore.open(role);
  if (role === 'alice') await store.load(documents(0, n));
  return {
    async connect() {
      const pool = await replicateWebRTC({
        collection: store.collection,
        topic: 'emberlink-bench',
        connectionHandlerCreator: getConnectionHandlerSimplePeer({
          signalingServerUrl: signalingUrl,
          wrtc,
          config: { iceServers: [] },
          webSocketConstructor: WebSocket as never,
        }),
        pull: { batchSize },
        push: { batchSize },
      });
      pool.error$.subscribe((error) => console.error(error));
      await firstValueFrom(pool.peerStates$.pipe(filter((peers) => peers.size > 0)));
    },
    async complete() {
      while ((await store.count()) !== n) await wait(POLL_MS);
    },
  };
}
