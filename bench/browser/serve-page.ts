import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';

/** Serves a page that runs one of the bundled programs of `pages/`. */
export async function servePage(name: string): Promise<{ url: string; close(): void }> {
  const server = createServer(({ url }, response) => {
    if (url === '/bench.js') {
      response.setHeader('content-type', 'text/javascript');
      createReadStream(resolve(process.argv[1]!, `../../pages/${name}.js`)).pipe(response);
      return;
    }
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><meta charset="utf-8" /><script src="/bench.js"></script>');
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
