import { ConnectionError, ProtocolError } from '../errors.ts';
import { checkFrameSize, Inbox } from './inbox.ts';
import { MAX_PORT_MESSAGE_BYTES } from './port-limits.ts';
import { toFrame } from './webrtc-channel.ts';

/** What a port that may lose keeps for a caller who does not listen yet. */
const MAX_UNHEARD_BYTES: number = 64 * 1024;

export interface DataPortOptions {
  readonly label: string;
  /** Agreed by both sides in advance; above the ids that WebRTC gives out by itself. */
  readonly id: number;
  /** In order and without loss; or else neither. */
  readonly reliable: boolean;
  /** Unsent bytes beyond which messages are dropped. */
  readonly maxBufferedBytes: number;
}

/**
 * Small messages on a data channel of their own.
 *
 * A data channel that both sides agreed on in advance opens on one side whether or not the other
 * one has it. So the first message of a reliable port is empty and says that it is there.
 */
export class DataPort {
  /** Resolves when it can send; a reliable one when the other side has said that it has it too. */
  readonly opened: Promise<void>;

  readonly #options: DataPortOptions;
  readonly #inbox: Inbox = new Inbox((error) => this.#failed(error));
  #resolveOpened!: () => void;
  #failed: (error: Error) => void = () => undefined;
  #channel: RTCDataChannel | undefined;
  #isOpen = false;
  #greeted = false;
  #halted = false;
  #listening = false;
  #unheardBytes = 0;
  /** An upper bound of what the data channel's buffer holds, in bytes: to ask for it is slow in Node. */
  #mostBuffered = 0;

  constructor(options: DataPortOptions) {
    this.#options = options;
    this.opened = new Promise((resolve) => {
      this.#resolveOpened = resolve;
    });
  }

  /**
   * @param pc before it negotiates
   * @param failed ends the link because of `error`
   */
  begin(pc: RTCPeerConnection, failed: (error: Error) => void): void {
    const { label, id, reliable } = this.#options;
    const channel = pc.createDataChannel(label, {
      negotiated: true,
      id,
      ...(reliable ? {} : { ordered: false, maxRetransmits: 0 }),
    });
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => {
      if (reliable) this.#put(new Uint8Array(0));
      this.#open();
    };
    channel.onmessage = (event: MessageEvent<unknown>) => this.#received(event.data);
    this.#channel = channel;
    this.#failed = failed;
  }

  /**
   * Sends it, or tells by false that it was dropped.
   * @throws ProtocolError `frame-too-large` beyond MAX_PORT_MESSAGE_BYTES
   */
  send(message: Uint8Array): boolean {
    checkFrameSize(message.byteLength, MAX_PORT_MESSAGE_BYTES);
    if (!this.#isOpen || this.#halted) return false;
    if (!this.#isFull(message.byteLength)) return this.#put(message);
    if (this.#options.reliable) {
      const error = `more than ${this.#options.maxBufferedBytes} bytes wait for the peer`;
      this.#failed(
        new ConnectionError('peer-gone', `${error} on its ${this.#options.label} channel`),
      );
    }
    return false;
  }

  /** Hands over what comes from now on, and what came before. Call it once. */
  listen(handler: (message: Uint8Array) => void): void {
    this.#listening = true;
    this.#inbox.start({ frame: (frame) => handler(frame as Uint8Array), closed: () => undefined });
  }

  /** From now on nothing is sent: Node's WebRTC crashes when the other side just ends. */
  halt(): void {
    this.#halted = true;
  }

  /** From now on nothing is handed over either. */
  end(): void {
    this.#halted = true;
    this.#inbox.end();
  }

  #isFull(bytes: number): boolean {
    const { maxBufferedBytes } = this.#options;
    if (this.#mostBuffered + bytes <= maxBufferedBytes) return false;
    this.#mostBuffered = this.#channel?.bufferedAmount ?? 0;
    return this.#mostBuffered + bytes > maxBufferedBytes;
  }

  #put(message: Uint8Array): boolean {
    const channel = this.#channel;
    if (this.#halted || channel?.readyState !== 'open') return false;
    try {
      // Cast: the types refuse bytes over shared memory, which the platform refuses as well.
      channel.send(message as Uint8Array<ArrayBuffer>);
    } catch {
      // A channel may still call itself open when its connection has just ended.
      return false;
    }
    this.#mostBuffered += message.byteLength;
    return true;
  }

  #received(data: unknown): void {
    const { label, reliable } = this.#options;
    const message = toFrame(data);
    if (!(message instanceof Uint8Array)) {
      this.#failed(new ProtocolError('malformed-frame', `a text on the ${label} channel`));
    } else if (message.byteLength > MAX_PORT_MESSAGE_BYTES) {
      const size = `a message of ${message.byteLength} bytes on the ${label} channel`;
      this.#failed(
        new ProtocolError('frame-too-large', `${size}: at most ${MAX_PORT_MESSAGE_BYTES}`),
      );
    } else if (reliable && !this.#greeted) {
      this.#takeGreeting(message);
    } else if (reliable || this.#hasRoom(message.byteLength)) {
      this.#inbox.frame(message);
    }
  }

  #takeGreeting(greeting: Uint8Array): void {
    if (greeting.byteLength > 0) {
      const { label } = this.#options;
      this.#failed(new ProtocolError('malformed-frame', `no greeting on the ${label} channel`));
      return;
    }
    this.#greeted = true;
    this.#open();
  }

  /** The greeting may come before the system says that the channel is open. */
  #open(): void {
    if (this.#channel?.readyState !== 'open') return;
    if (this.#options.reliable && !this.#greeted) return;
    this.#isOpen = true;
    this.#resolveOpened();
  }

  #hasRoom(bytes: number): boolean {
    if (this.#listening) return true;
    this.#unheardBytes += bytes;
    return this.#unheardBytes <= MAX_UNHEARD_BYTES;
  }
}
