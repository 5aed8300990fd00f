import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'vite';
import { leanSimplePeer } from '../../../scripts/lean-simple-peer.mjs';

const ID = '\0lean-simple-peer';

/** Tests within browsers connect by the simple-peer that apps get, which need not have been built. */
export const leanSimplePeerForVite: Plugin = {
  name: 'lean-simple-peer',
  enforce: 'pre',
  resolveId: (id) => (id === 'simple-peer' ? ID : undefined),
  load: async (id) => {
    if (id !== ID) return undefined;
    const { outputFiles } = await build({
      stdin: {
        contents: "export { default } from 'simple-peer';",
        resolveDir: fileURLToPath(new URL('.', import.meta.url)),
      },
      bundle: true,
      platform: 'browser',
      format: 'esm',
      write: false,
      logLevel: 'error',
      plugins: [leanSimplePeer],
    });
    return outputFiles[0]!.text;
  },
};
