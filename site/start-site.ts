import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSignalingServer } from 'emberlink/server';
import type { Asset } from './build-site.ts';

export interface SiteOptions {
  /** 0 for any free one. */
  readonly port: number;
  /** The address to listen on; this machine alone when it is not given. */
  readonly host?: string | undefined;
}

export interface RunningSite {
  /** Of the front page: `http://localhost:8080/`. */
  readonly url: string;
  /** Where members of rooms find each other: `ws://localhost:8080/signal`. */
  readonly signalingUrl: string;
  close(): Promise<void>;
}

const SIGNALING_PATH = '/signal';
/** Whoever is on a page when it ends joins again by itself. */
const DRAIN_SECONDS = 0.5;

/**
 * Serves the site and a signaling server on one port.
 * @throws SignalingServerError `address-in-use`, `cannot-listen`
 */
export async function startSite(
  site: ReadonlyMap<string, Asset>,
  { port, host = 'localhost' }: SiteOptions,
): Promise<RunningSite> {
  const server = createSignalingServer({
    port,
    host,
    path: SIGNALING_PATH,
    pages: (request, response) => answer(site, request, response),
    drainSeconds: DRAIN_SECONDS,
    logLevel: 'error',
  });
  const { url: signalingUrl } = await server.listen();
  const url = new URL('/', signalingUrl.replace(/^ws/, 'http')).href;
  return { url, signalingUrl, close: () => server.close() };
}

function answer(
  site: ReadonlyMap<string, Asset>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [path = '/'] = (request.url ?? '/').split('?', 1);
  const asset = site.get(path.slice(1).replace(/(^|\/)$/, '$1index.html'));
  if (asset !== undefined) {
    response.writeHead(200, {
      'Content-Type': asset.type,
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(request.method === 'HEAD' ? undefined : asset.bytes);
    return;
  }
  // The links within a page count from its folder.
  if (site.has(`${path.slice(1)}/index.html`)) response.writeHead(308, { Location: `${path}/` });
  else response.writeHead(404, { 'Content-Type': 'text/plain' });
  response.end();
}
