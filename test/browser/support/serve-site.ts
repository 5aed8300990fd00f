import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { bundlePage } from './bundle-page.ts';

export interface SiteOptions {
  /**
   * Programs by name, as files: `{ chat: 'test/browser/pages/chat.ts' }` is bundled as `/chat.js`, and
   * `/chat` is a blank page that runs it. Default: the public names of emberlink as `emberlink`.
   */
  readonly entries?: Readonly<Record<string, string>>;
  /** Texts by path: `{ '/index.html': '<p>…' }`. */
  readonly texts?: Readonly<Record<string, string>>;
  /** A folder whose files are served as they are. */
  readonly folder?: string;
}

export interface Site {
  /** Of the root, `http://localhost:<port>/`: the page of the first entry. */
  readonly url: string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

const DEFAULT_ENTRIES = { emberlink: 'test/browser/pages/emberlink.ts' };

/** Serves pages to browsers on this machine, where localhost counts as secure. */
export async function serveSite(options: SiteOptions = {}): Promise<Site> {
  const { entries = DEFAULT_ENTRIES, texts = {}, folder } = options;
  const byPath = new Map<string, string>();
  for (const [name, file] of Object.entries(entries)) {
    byPath.set(`/${name}.js`, await bundlePage(file));
    byPath.set(`/${name}`, pageOf(name));
  }
  const [first] = Object.keys(entries);
  if (first !== undefined) byPath.set('/', pageOf(first));
  for (const [path, text] of Object.entries(texts)) byPath.set(path, text);

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const text = byPath.get(pathname) ?? byPath.get(`${pathname}index.html`);
    if (text !== undefined) answer(response, 200, extname(pathname) || '.html', text);
    else if (pathname === '/favicon.ico') answer(response, 204, '.svg', '');
    else if (folder === undefined) answer(response, 404, '.html', 'not found');
    else void serveFile(request, response, folder, pathname);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pageOf(name: string): string {
  return `<!doctype html><meta charset="utf-8" /><title>${name}</title><script type="module" src="/${name}.js"></script>`;
}

function answer(response: ServerResponse, status: number, extension: string, text: string): void {
  const type = TYPES[extension] ?? 'application/octet-stream';
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}

async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  pathname: string,
): Promise<void> {
  // `normalize` of an absolute path leaves no `..` in it.
  let path = join(folder, normalize(decodeURIComponent(pathname)));
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) path = join(path, 'index.html');
  const stream = createReadStream(path);
  stream.once('error', () => answer(response, 404, '.html', 'not found'));
  stream.once('open', () => {
    response.writeHead(200, {
      'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
      'cache-control': 'no-store',
    });
    stream.pipe(response);
  });
  request.once('close', () => stream.destroy());
}
