/** How many bytes may be under way on any link: 256 KiB. */
const LEAST_BYTES = 256 * 1024;

/** The rate is taken over this time at least: single acknowledgements come in clumps. */
const RATE_INTERVAL_MS = 50;

/**
 * How many bytes to keep under way: twice what the link carries in the time of one acknowledgement,
 * its bandwidth-delay product (the model of "BBR: Congestion-Based Congestion Control", Cardwell et
 * al., 2016). More than that only fills buffers on the way, and SCTP over WebRTC answers a burst that
 * they do not take with pauses of its retransmission timer, from 0.4 to several seconds.
 */
export class Pace {
  /** Frames under way: where they end in the stream, and when they left. */
  #frames: { readonly end: number; readonly atMs: number }[] = [];
  #first = 0;
  #leastDelayMs = Infinity;
  #bytesPerMs = 0;
  #interval = { stored: 0, sinceMs: 0 };

  /** How many bytes on the wire one byte of the stream took of late: less than 1 where it is deflated. */
  #wireShare = 1;
  #stored = 0;
  /** Since when the sender has had more than the link takes, and what was stored then. */
  #busy: { readonly stored: number; readonly sinceMs: number } | undefined;
  #linkBytesPerMs = Infinity;

  /** What the link carried when the sender last had more than it took; Infinity until then. */
  get linkBytesPerMs(): number {
    return this.#linkBytesPerMs;
  }

  /** The sender had to wait for the link, or for the other side. */
  waited(nowMs: number): void {
    this.#busy ??= { stored: this.#stored, sinceMs: nowMs };
  }

  /** So many bytes of the stream went out as so many on the wire. */
  carried(streamBytes: number, wireBytes: number): void {
    this.#wireShare += (wireBytes / streamBytes - this.#wireShare) / 8;
  }

  /** How many bytes may be under way. */
  get bytes(): number {
    if (this.#bytesPerMs === 0) return LEAST_BYTES;
    return Math.max(LEAST_BYTES, 2 * this.#bytesPerMs * this.#leastDelayMs);
  }

  /** The stream was sent up to `end`. */
  sent(end: number, nowMs: number): void {
    this.#frames.push({ end, atMs: nowMs });
  }

  /** The other side has stored the stream up to `bytes`. */
  stored(bytes: number, nowMs: number): void {
    while (this.#first < this.#frames.length && this.#frames[this.#first]!.end <= bytes) {
      const delayMs = nowMs - this.#frames[this.#first++]!.atMs;
      this.#leastDelayMs = Math.min(this.#leastDelayMs, delayMs);
    }
    if (this.#first * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#first);
      this.#first = 0;
    }
    this.#stored = bytes;
    const busyMs = nowMs - (this.#busy?.sinceMs ?? nowMs);
    if (this.#busy !== undefined && busyMs >= RATE_INTERVAL_MS) {
      this.#linkBytesPerMs = ((bytes - this.#busy.stored) / busyMs) * this.#wireShare;
      this.#busy = undefined;
    }
    const { stored, sinceMs } = this.#interval;
    if (nowMs - sinceMs < RATE_INTERVAL_MS) return;
    if (sinceMs > 0) this.#bytesPerMs = (bytes - stored) / (nowMs - sinceMs);
    this.#interval = { stored: bytes, sinceMs: nowMs };
  }
}
