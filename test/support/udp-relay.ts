import dgram from 'node:dgram';
import type { Signal } from '../../src/transports/signal.ts';

type Side = 'alice' | 'bob';

interface Port {
  readonly socket: dgram.Socket;
  /** Where the side itself listens, once its signal was rewritten. */
  real: number | undefined;
  lastSent: number;
}

/** The longest that a NAT keeps a way in open after a packet out, in ms. */
const PINHOLE_MS = 10_000;

/**
 * A UDP proxy between two peers of one machine: its ports stand in the candidates in the place of
 * theirs, so every packet between them passes here and can be dropped or delayed.
 */
export class UdpRelay {
  /** Drops everything. */
  cut = false;
  /**
   * A packet to a side passes only if that side sent one within the last seconds: each sits behind
   * a NAT that opens from the inside.
   */
  nat = false;
  /** One way. */
  delayMs = 0;
  forwarded = 0;
  readonly #ports: Record<Side, Port>;
  #closed = false;

  static async open(): Promise<UdpRelay> {
    return new UdpRelay({ alice: await bind(), bob: await bind() });
  }

  constructor(ports: Record<Side, Port>) {
    this.#ports = ports;
    this.#forward('bob', 'alice');
    this.#forward('alice', 'bob');
  }

  /** The signal of `side` with the relay's port as its only candidate. */
  rewrite(side: Side, { type, sdp }: Signal): Signal {
    const lines = sdp.split('\r\n').flatMap((line) => {
      if (!line.startsWith('a=candidate:')) return line;
      return this.rewriteCandidate(side, line) ?? [];
    });
    if (this.#ports[side].real === undefined)
      throw new Error(`${side} has no candidate on 127.0.0.1`);
    return { type, sdp: lines.join('\r\n') };
  }

  /** The candidate of `side` with the relay's port; undefined for one that is not of 127.0.0.1. */
  rewriteCandidate(side: Side, candidate: string): string | undefined {
    const port = this.#ports[side];
    const fields = candidate.split(' ');
    if (fields[2]!.toLowerCase() !== 'udp' || fields[4] !== '127.0.0.1') return undefined;
    port.real = Number(fields[5]);
    fields[5] = String(port.socket.address().port);
    return fields.join(' ');
  }

  close(): void {
    this.#closed = true;
    for (const { socket } of Object.values(this.#ports)) socket.close();
  }

  /** What comes to the port that stands for `to` was sent by `from`, and leaves from `from`'s. */
  #forward(from: Side, to: Side): void {
    const source = this.#ports[from];
    const target = this.#ports[to];
    target.socket.on('message', (message) => {
      source.lastSent = performance.now();
      if (this.cut || target.real === undefined) return;
      if (this.nat && performance.now() - target.lastSent > PINHOLE_MS) return;
      this.forwarded += 1;
      const pass = (): void => {
        if (!this.#closed && target.real !== undefined)
          source.socket.send(message, target.real, '127.0.0.1', () => {});
      };
      if (this.delayMs > 0) setTimeout(pass, this.delayMs);
      else pass();
    });
  }
}

async function bind(): Promise<Port> {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { socket, real: undefined, lastSent: Number.NEGATIVE_INFINITY };
}
