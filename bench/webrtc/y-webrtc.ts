import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import wrtc from 'wrtc';
import { WebrtcProvider } from 'y-webrtc';
import { documents } from '../documents.ts';
import { yjs } from '../peers/yjs.ts';
import type { Side, SideTask } from './side.ts';

const POLL_MS = 1;

export async function yWebrtcSide({ role, n, folder, signalingUrl }: SideTask): Promise<Side> {
  const store = await yjs(false).open(folder, role);
  if (role === 'alice') store.load(documents(0, n));
  // Browsers have it; Node before version 22 does not.
  Object.assign(globalThis, { WebSocket });
  return {
    connect: () =>
      new Promise((resolve) => {
        const provider = new WebrtcProvider('bench', store.doc, {
          signaling: [signalingUrl],
          peerOpts: { wrtc, config: { iceServers: [] } },
        });
        provider.on('peers', ({ webrtcPeers }: { webrtcPeers: string[] }) => {
          if (webrtcPeers.length > 0) resolve();
        });
      }),
    async complete() {
      while (store.count() !== n) await wait(POLL_MS);
    },
  };
}
