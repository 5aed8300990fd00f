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

/** What a page is made of: its path in the site, and its source. */
type Files = Readonly<Record<string, string>>;

const SIGNALING = /(<meta name="emberfield-signaling" content=")[^"]*"/;
const ICON: Files = { 'icon.svg': 'site/icon.svg' };
const SITE: Files = {
  'index.html': 'site/index.html',
  'front.css': 'site/front.css',
  'docs.css': 'site/docs.css',
  'pair/index.html': 'site/pair/index.html',
  'pair/main.js': 'site/pair/main.ts',
  'pair/pair.css': 'site/pair/pair.css',
};
const GAME: Files = {
  'index.html': 'demo-game/index.html',
  'main.js': 'demo-game/main.ts',
  'game.css': 'demo-game/game.css',
};

/**
 * All files of the site by their paths (`index.html`, `pair/main.js`), bundled from its sources, and the
 * project's texts as pages.
 * @param plugins for esbuild: tests let `emberlink` be its sources
 */
export async function buildSite(plugins: Plugin[] = []): Promise<Map<string, Asset>> {
  const game = Object.entries(GAME).map(([path, source]) => [`game/${path}`, source]);
  const files: Files = { ...ICON, ...SITE, ...(Object.fromEntries(game) as Files) };
  const site = await bundle(files, plugins);
  for (const [path, bytes] of docsPages(root())) add(site, path, bytes);
  return site;
}

/**
 * The game alone, for any server of files.
 * @param signaling the address of a signaling server; `''` for none: friends then come by pasting
 */
export async function buildGame(
  signaling: string,
  plugins: Plugin[] = [],
): Promise<Map<string, Asset>> {
  const site = await bundle({ ...ICON, ...GAME }, plugins);
  const html = new TextDecoder().decode(site.get('index.html')!.bytes).replaceAll('="../', '="./');
  add(site, 'index.html', new TextEncoder().encode(withSignaling(html, signaling)));
  return site;
}

async function bundle(files: Files, plugins: Plugin[]): Promise<Map<string, Asset>> {
  const folder = root();
  const bundled = Object.entries(files).filter(([path]) => /\.(js|css)$/.test(path));
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: bundled.map(([path, source]) => ({
      in: source,
      out: path.slice(0, -extname(path).length),
    })),
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
  for (const { path, contents } of outputFiles) {
    add(site, path.slice(join(folder, 'site/').length), contents);
  }
  for (const [path, source] of Object.entries(files)) {
    if (!site.has(path)) add(site, path, readFileSync(join(folder, source)));
  }
  return site;
}

function add(site: Map<string, Asset>, path: string, bytes: Uint8Array): void {
  site.set(path, { type: TYPES[extname(path)]!, bytes });
}

function withSignaling(html: string, address: string): string {
  const quoted = address.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  return html.replace(SIGNALING, (_, before: string) => `${before}${quoted}"`);
}

/** The project's folder. */
function root(): string {
  return dirname(createRequire(import.meta.url).resolve('emberlink/package.json'));
}
