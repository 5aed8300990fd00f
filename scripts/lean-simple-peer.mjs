import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const STAND_INS = /^(buffer|debug|queue-microtask|randombytes|readable-stream)$/;
const require = createRequire(import.meta.url);
const main = require.resolve('simple-peer');

/**
 * For esbuild: `simple-peer` is the package as it is, on a Duplex of its own size. For browsers it
 * brings the streams of Node, of which nothing is used.
 */
export const leanSimplePeer = {
  name: 'lean-simple-peer',
  setup(bundling) {
    bundling.onResolve({ filter: /^simple-peer$/ }, () => ({ path: main, sideEffects: false }));
    bundling.onResolve({ filter: STAND_INS }, ({ path, resolveDir }) =>
      resolveDir === dirname(main)
        ? { path: fileURLToPath(new URL(`lean-peer/${path}.cjs`, import.meta.url)) }
        : undefined,
    );
  },
};
