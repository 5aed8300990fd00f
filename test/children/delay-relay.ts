/**
 * Stands between two sides of a link, in the process's network: its sockets take the place of theirs
 * in their candidates, and each packet takes a while.
 */
import dgram from 'node:dgram';
import { answerCalls } from './answer-calls.ts';

type Side = 'alice' | 'bob';

interface Stand {
  readonly socket: dgram.Socket;
  /** Where the side itself listens, once it told a candidate. */
  address?: string;
  port?: number;
}

let stands: Record<Side, Stand>;
let delayMs = 0;

/** What comes to the socket that stands for `to` was sent by `from`, and leaves from `from`'s. */
function forward(from: Side, to: Side): void {
  const { socket } = stands[from];
  stands[to].socket.on('message', (message) => {
    const { address, port } = stands[to];
    if (port !== undefined) setTimeout(() => socket.send(message, port, address), delayMs);
  });
}

async function bind(): Promise<dgram.Socket> {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  return socket;
}

const methods = {
  async open(oneWayMs: number): Promise<void> {
    delayMs = oneWayMs;
    stands = { alice: { socket: await bind() }, bob: { socket: await bind() } };
    forward('alice', 'bob');
    forward('bob', 'alice');
  },
  /** A candidate of `side` as the other side may use it, which reaches this process at `address`. */
  async replace(side: Side, candidate: string, address: string): Promise<string> {
    const fields = candidate.split(' ');
    const stand = stands[side];
    [stand.address, stand.port] = [fields[4]!, Number(fields[5])];
    [fields[4], fields[5]] = [address, String(stand.socket.address().port)];
    return fields.join(' ');
  },
};

export type DelayRelayMethods = typeof methods;

answerCalls(methods);
process.on('disconnect', () => process.exit());
