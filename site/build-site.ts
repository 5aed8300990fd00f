import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { docsPages } from './docs-pages.ts';

/** A file of the site: what a server sends for its path. */
export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
};

const GAME_PAGE = 'game/index.html';
const SIGNALING = /(<meta name="emberfield-signaling" content=")[^"]*"/;
/** Programs and styles, by their path without its end. */
const PROGRAMS = [
  { in: 'site/front.css', out: 'front' },
  { in: 'site/docs.css', out: 'docs' },
  { in: 'site/pair/main.ts', out: 'pair/main' },
  { in: 'site/pair/pair.css', out: 'pair/pair' },
  { in: 'demo-game/main.ts', out: 'game/main' },
  { in: 'demo-game/game.css', out: 'game/game' },
];
const FILES = {
  'index.html': 'site/index.html',
  'icon.svg': 'site/icon.svg',
  'pair/index.html': 'site/pair/index.html',
  [GAME_PAGE]: 'demo-game/index.html',
};

/**
 * All files of the site by their paths (`index.html`, `pair/main.js`), bundled from its sources, and the
 * project's texts as pages.
 * @param plugins for esbuild: tests let `emberlink` be its sources
 */
export async function buildSite(plugins: Plugin[] = []): Promise<ReadonlyMap<string, Asset>> {
  const root = dirname(createRequire(import.meta.url).resolve('emberlink/package.json'));
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: PROGRAMS,
    outdir: 'site',
    bundle: true,
    // What only some visitors need, such as the reader of QR codes, is a file of its own.
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    write: false,
    logLevel: 'error',
    plugins,
  });
  const site = new Map<string, Asset>();
  const add = (path: string, bytes: Uint8Array): void => {
    site.set(path, { type: TYPES[extname(path)]!, bytes });
  };
  for (const { path, contents } of outputFiles)
    add(path.slice(join(root, 'site/').length), contents);
  for (const [path, file] of Object.entries(FILES)) add(path, readFileSync(join(root, file)));
  for (const [path, bytes] of docsPages(root)) add(path, bytes);
  return site;
}

/**
 * The same site with another signaling server for the game; `''` for none, as where files are served and
 * nothing else.
 */
export function withSignaling(
  site: ReadonlyMap<string, Asset>,
  address: string,
): ReadonlyMap<string, Asset> {
  const page = site.get(GAME_PAGE)!;
  const html = new TextDecoder().decode(page.bytes);
  const quoted = address.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  const told = html.replace(SIGNALING, (_, before: string) => `${before}${quoted}"`);
  return new Map(site).set(GAME_PAGE, { ...page, bytes: new TextEncoder().encode(told) });
}
