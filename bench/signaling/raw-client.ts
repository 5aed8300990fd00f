import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SIGNALING_PROTOCOL } from '../../signaling/messages.ts';

/**
 * A WebSocket client that costs next to nothing, so that the generator is not what is measured: frames
 * are made once, and what comes back is counted by its bytes.
 */
export class RawClient {
  readonly proof: string = randomBytes(32).toString('base64url');
  readonly member: string = createHash('sha256')
    .update(this.proof)
    .digest('base64url')
    .slice(0, 22);
  readonly #socket: Socket;
  #buffered: Buffer = Buffer.alloc(0);
  #wake = (): void => {};
  #frame: Buffer = Buffer.alloc(0);

  static async open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, noDelay: true });
    await once(socket, 'connect');
    const client = new RawClient(socket);
    await client.#handshake(hostname);
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => {
      this.#buffered = Buffer.concat([this.#buffered, data]);
      this.#wake();
    });
  }

  say(text: string): void {
    this.#socket.write(frameOf(text));
  }

  /** The next text that comes. */
  async next(): Promise<string> {
    for (;;) {
      const buffered = this.#buffered;
      const short = (buffered[1] ?? 0) & 0x7f;
      const start = short === 126 ? 4 : 2;
      const length = short === 126 && buffered.length >= 4 ? buffered.readUInt16BE(2) : short;
      if (buffered.length >= start + length && buffered.length >= 2) {
        this.#buffered = buffered.subarray(start + length);
        return buffered.toString('utf8', start, start + length);
      }
      await this.#more();
    }
  }

  /** From now on `kick` sends this text, and frames of that many bytes are counted. */
  speak(text: string, heardBytes: number, onHeard: () => void): void {
    this.#frame = frameOf(text);
    const size = heardBytes + (heardBytes > 125 ? 4 : 2);
    let bytes = this.#buffered.length;
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', (data) => {
      bytes += data.length;
      for (; bytes >= size; bytes -= size) onHeard();
    });
  }

  kick(): void {
    this.#socket.write(this.#frame);
  }

  end(): void {
    this.#socket.destroy();
  }

  async #handshake(host: string): Promise<void> {
    this.#socket.write(
      `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
        `Sec-WebSocket-Protocol: ${SIGNALING_PROTOCOL}\r\n\r\n`,
    );
    let end = -1;
    while (end < 0) {
      await this.#more();
      end = this.#buffered.indexOf('\r\n\r\n');
    }
    const answer = this.#buffered.toString('latin1', 0, end);
    if (!answer.startsWith('HTTP/1.1 101')) throw new Error(answer.split('\r\n')[0]);
    this.#buffered = this.#buffered.subarray(end + 4);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/** A text frame with a mask, as clients send them. */
function frameOf(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = payload.length > 125 ? Buffer.alloc(8) : Buffer.alloc(6);
  const mask = randomBytes(4);
  head[0] = 0x81;
  if (payload.length > 125) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = 0x80 | payload.length;
  }
  mask.copy(head, head.length - 4);
  for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i % 4]!;
  return Buffer.concat([head, payload]);
}
