import { createServer } from 'node:net';
import { pathToFileURL } from 'node:url';
import { BENCH_FOLDER } from '../paths.ts';
import type { Signaling } from '../webrtc/index.ts';

/** The signaling server that a library brings for itself; tells its parent the address. */
async function main(kind: Signaling): Promise<string> {
  const port = await freePort();
  switch (kind) {
    case 'y-webrtc': {
      process.env['PORT'] = String(port);
      const program = `${BENCH_FOLDER}/node_modules/y-webrtc/bin/server.js`;
      await import(pathToFileURL(program).href);
      return `ws://localhost:${port}`;
    }
    case 'rxdb': {
      const { startSignalingServerSimplePeer } = await import('rxdb/plugins/replication-webrtc');
      const { localUrl } = await startSignalingServerSimplePeer({ port });
      return localUrl;
    }
    case 'none':
      return '';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const { kind } = JSON.parse(process.argv[2]!) as { kind: Signaling };
process.send!({ url: await main(kind) });
