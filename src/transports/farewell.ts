/**
 * How a closing side learns that its last frames have arrived. WebRTC does not tell: the buffer of a
 * data channel may be empty while up to 2 MB wait unseen in the queue of SCTP (Node's, and Chromium's
 * of some years), and closing throws those away.
 *
 * So two of our sides talk on a second data channel, of which a foreign peer notices nothing: each
 * says `here` when it opens; who closes says `end` and the number of frames it has sent; the other
 * says `got` when it has received that many. Frames and these words travel in streams of their own,
 * so `end` may come before the frames it counts.
 *
 * Who ends the connection at once says `halt` before, and the other side, which answers `halted`,
 * sends nothing more.
 */

/** Agreed by both sides in advance; above the ids that WebRTC gives out by itself. */
const CHANNEL_ID = 101;

export class Farewell {
  readonly control: RTCDataChannel;
  /** Resolves when the other side has received everything. */
  readonly confirmed: Promise<void>;
  /** Resolves when the other side has stopped sending. */
  readonly halted: Promise<void>;
  /** False for a foreign peer, and for one of ours that has not been heard of yet. */
  peerTakesPart = false;
  isConfirmed = false;

  #confirm!: () => void;
  #resolveHalted!: () => void;
  #onHalt: (() => void) | undefined;
  /** The connection is about to end: no more words but an answer to `halt`. */
  #quiet = false;
  #sent: number | undefined;
  #received = 0;
  #counting = false;
  #expected: number | undefined;

  /** @param pc before it negotiates */
  constructor(pc: RTCPeerConnection) {
    this.confirmed = new Promise((resolve) => {
      this.#confirm = resolve;
    });
    this.halted = new Promise((resolve) => {
      this.#resolveHalted = resolve;
    });
    this.control = pc.createDataChannel('farewell', { negotiated: true, id: CHANNEL_ID });
    this.control.onopen = () => {
      this.#say('here');
      this.#sayEnd();
    };
    this.control.onmessage = (event: MessageEvent<unknown>) => this.#heard(event.data);
  }

  /** All frames, `framesSent` of them, are with the system. */
  end(framesSent: number): void {
    this.#sent = framesSent;
    this.#sayEnd();
  }

  /**
   * Asks the other side to stop sending; tells whether it takes part. Only this word is said then:
   * the other side may end the connection in the same moment.
   */
  halt(): boolean {
    if (!this.peerTakesPart || this.#onHalt === undefined) return false;
    this.#say('halt');
    this.#quiet = true;
    return true;
  }

  /**
   * This side is connected and counts what it receives; before, it confirms nothing.
   * @param onHalt called when the other side asks to stop sending
   */
  begin(onHalt: () => void): void {
    this.#onHalt = onHalt;
    this.#counting = true;
    this.#sayGot();
  }

  frameReceived(): void {
    this.#received += 1;
    this.#sayGot();
  }

  #heard(word: unknown): void {
    if (typeof word !== 'string') return;
    this.peerTakesPart = true;
    if (word === 'got' && this.#sent !== undefined) {
      this.isConfirmed = true;
      this.#confirm();
    }
    if (word === 'halted') this.#resolveHalted();
    if (word === 'halt') {
      this.#onHalt?.();
      this.#quiet = false;
      this.#say('halted');
      this.#quiet = true;
    }
    const count = /^end (\d{1,15})$/.exec(word)?.[1];
    if (count === undefined || this.#expected !== undefined) return;
    this.#expected = Number(count);
    this.#sayGot();
  }

  #sayEnd(): void {
    if (this.#sent !== undefined) this.#say(`end ${this.#sent}`);
  }

  #sayGot(): void {
    if (this.#counting && this.#received === this.#expected) this.#say('got');
  }

  #say(word: string): void {
    if (this.#quiet || this.control.readyState !== 'open') return;
    try {
      this.control.send(word);
    } catch {
      // In Node a channel may still call itself open when its connection has just ended. Then there
      // is nobody to say it to, and the link hears of the end by itself.
    }
  }
}
