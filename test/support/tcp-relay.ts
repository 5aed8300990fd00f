import { once } from 'node:events';
import net from 'node:net';

/**
 * A TCP proxy to one port of this machine: its lines can fall silent without being closed, and it may
 * close those on which nothing passes for a while.
 */
export class TcpRelay {
  readonly port: number;
  readonly #server: net.Server;
  readonly #sockets: ReadonlySet<net.Socket>;

  static async open(targetPort: number, idleMs = 0): Promise<TcpRelay> {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((near) => {
      const far = net.connect(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.pipe(to);
        from.setTimeout(idleMs, () => from.destroy());
        from.on('error', () => to.destroy());
        from.on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpRelay(server, sockets);
  }

  private constructor(server: net.Server, sockets: ReadonlySet<net.Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** From now on nothing passes: no byte, no end, no word of it. */
  fallSilent(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Resets all lines. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
