import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy before one port of this machine, whose lines can stall and be cut. */
export class TcpRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #idleMs: number;
  #port = 0;
  #state: 'passing' | 'stalled' | 'cut' = 'passing';

  /** @param idleMs closes lines on which nothing passes for so long; 0 for never */
  static async open(target: number, idleMs = 0): Promise<TcpRelay> {
    const relay = new TcpRelay(target, idleMs);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    relay.#port = (relay.#server.address() as AddressInfo).port;
    return relay;
  }

  private constructor(target: number, idleMs: number) {
    this.#idleMs = idleMs;
    this.#server = createServer((caller) => {
      if (this.#state === 'cut') {
        caller.destroy();
        return;
      }
      this.#join(caller, connect(target, '127.0.0.1'));
    });
  }

  /** The same after it was closed. */
  get port(): number {
    return this.#port;
  }

  /** Nothing passes and nobody is told, as when packets are lost on the way. */
  stall(): void {
    this.#state = 'stalled';
    for (const socket of this.#sockets) socket.pause();
  }

  /** Resets all lines; new ones are served. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Resets all lines, and refuses new ones. */
  cut(): void {
    this.#state = 'cut';
    this.reset();
  }

  /** What was stalled passes now, late; new lines are served. */
  mend(): void {
    this.#state = 'passing';
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(caller: Socket, callee: Socket): void {
    for (const [from, to] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (data) => to.write(data));
      from.setTimeout(this.#idleMs, () => from.destroy());
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#state === 'stalled') from.pause();
    }
  }
}
