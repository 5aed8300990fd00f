import type { Replica } from './protocol/replica.ts';
import { Session } from './protocol/session.ts';
import { DEFAULT_HANDSHAKE_TIMEOUT_MS, enterRoom, type Access } from './rooms/handshake.ts';
import { DEFAULT_ROOM, RoomKeys } from './rooms/keys.ts';
import { openWebSocket } from './transports/websocket.ts';
import { loadWebSocket } from './transports/websocket-class.ts';
import type { WebSocketSyncOptions } from './websocket-sync.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** The sessions of a WebSocketSync, one at a time. All that they are made of is loaded with this file. */
export class WebSocketSessions {
  readonly #replica: Replica;
  readonly #url: string;
  readonly #options: WebSocketSyncOptions;
  readonly #keys: Promise<RoomKeys>;

  constructor(replica: Replica, url: string, options: WebSocketSyncOptions) {
    this.#replica = replica;
    this.#url = url;
    this.#options = options;
    this.#keys = RoomKeys.derive(options.room ?? DEFAULT_ROOM, options.secret);
    // Whoever opens a session hears of it.
    this.#keys.catch(() => {});
  }

  /**
   * Connects, and proves the secret.
   * @param signal gives the attempt up; what stands by then is the caller's
   * @throws RoomError when the options cannot work, or the server does not let this side in
   * @throws ConnectionError, ProtocolError when it does not come about
   */
  async open(signal: AbortSignal): Promise<{ session: Session; access: Access }> {
    const { token, connectTimeoutMs, keepAliveMs, helloTimeoutMs, compression } = this.#options;
    const keys = await this.#keys;
    const shown = typeof token === 'function' ? await token() : token;
    const channel = await openWebSocket(
      this.#url,
      this.#options.WebSocket ?? (await loadWebSocket()),
      { timeoutMs: connectTimeoutMs ?? CONNECT_TIMEOUT_MS, keepAliveMs, signal },
    );
    const onAbort = (): void => channel.destroy();
    signal.addEventListener('abort', onAbort);
    try {
      const options = { token: shown, timeoutMs: DEFAULT_HANDSHAKE_TIMEOUT_MS };
      const admission = await enterRoom(channel, keys, options);
      signal.throwIfAborted();
      const session = new Session(admission.channel, this.#replica, {
        ...(helloTimeoutMs === undefined ? {} : { helloTimeoutMs }),
        ...(compression === undefined ? {} : { compression }),
      });
      return { session, access: admission.access };
    } catch (error) {
      channel.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
