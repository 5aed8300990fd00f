import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Registry } from 'prom-client';
import { equalSecrets } from './secrets.ts';

export interface Pages {
  /** The path of the WebSocket, to which a plain request is a mistake; undefined where it is not. */
  readonly webSocketPath: string | undefined;
  /** Undefined where there is no /metrics. */
  readonly metrics: Registry | undefined;
  readonly metricsToken: string | undefined;
  /** Whether this client asks for more than the rate of its address allows. */
  isTooMuch(request: IncomingMessage): boolean;
  /** What /health tells. */
  health(): Health;
  /** Answers every other GET and HEAD; 404 without it. */
  readonly others?: RequestListener | undefined;
}

export interface Health {
  readonly status: 'ok' | 'draining';
  readonly connections: number;
  readonly rooms: number;
  readonly members: number;
  readonly uptimeSeconds: number;
  /** Whether words get through to other servers, where there are others. */
  readonly brokerUp?: boolean;
}

/** Answers plain requests: /health, /metrics, and what the app has besides. */
export function answerWith(pages: Pages): RequestListener {
  return (request, response) => {
    response.on('error', () => request.destroy());
    answer(pages, request, response).catch(() => request.destroy());
  };
}

async function answer(
  pages: Pages,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (pages.isTooMuch(request)) return say(response, 429);
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(response, 405);
  const path = pathOf(request);
  if (path === '/health') {
    const health = pages.health();
    const status = health.status === 'ok' ? 200 : 503;
    return say(response, status, JSON.stringify(health), 'application/json');
  }
  if (path === '/metrics' && pages.metrics !== undefined) {
    if (!mayRead(pages.metricsToken, request)) {
      response.setHeader('WWW-Authenticate', 'Bearer');
      return say(response, 401);
    }
    return say(response, 200, await pages.metrics.metrics(), pages.metrics.contentType);
  }
  if (path === pages.webSocketPath) {
    response.setHeader('Upgrade', 'websocket');
    return say(response, 426);
  }
  if (pages.others === undefined) return say(response, 404);
  pages.others(request, response);
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return request.url?.split('?', 1)[0] ?? '';
}

/** Answers an upgrade that is not made, and ends the socket. */
export function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  // The client may be gone already, which is as good.
  socket.on('error', () => socket.destroy());
  const body = `${reason}\n`;
  const retry = status === 429 || status === 503 ? 'Retry-After: 5\r\n' : '';
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${retry}` +
      `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function say(
  response: ServerResponse,
  status: number,
  body: string = `${STATUS_CODES[status]}\n`,
  contentType = 'text/plain',
): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
  response.end(body);
}

function mayRead(token: string | undefined, { headers }: IncomingMessage): boolean {
  return token === undefined || equalSecrets(headers.authorization ?? '', `Bearer ${token}`);
}
