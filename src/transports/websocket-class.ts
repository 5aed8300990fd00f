import { ConnectionError, RoomError } from '../errors.ts';

/** The WebSocket of browsers, or one like it. */
export type WebSocketClass = typeof WebSocket;

/**
 * The global WebSocket; in a Node that has none the one of the package `ws`.
 * @throws ConnectionError `no-websocket`
 */
export async function loadWebSocket(): Promise<WebSocketClass> {
  if (typeof globalThis.WebSocket === 'function') return globalThis.WebSocket;
  // A variable, so that bundlers for browsers do not look for the package.
  const name = 'ws';
  try {
    const loaded = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      WebSocket: WebSocketClass;
    };
    return loaded.WebSocket;
  } catch (cause) {
    throw new ConnectionError('no-websocket', 'there is no WebSocket here: install ws', { cause });
  }
}

/** @throws RoomError `invalid-option` when it is no ws: or wss: URL */
export function checkWebSocketUrl(url: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol === 'ws:' || protocol === 'wss:') return;
  throw new RoomError('invalid-option', `${url} is no ws: or wss: URL`);
}
