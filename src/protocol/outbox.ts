import type { CID } from 'multiformats/cid';
import type { Block } from '../blocks.ts';
import { carFrame, carHeader } from '../car/writer.ts';
import { ConnectionError, ProtocolError, StorageError } from '../errors.ts';
import type { DialectHost } from './dialect.ts';
import { encodeCarFrame } from './messages.ts';
import { Pace } from './pace.ts';
import { Queue, Signal } from './queue.ts';
import { nextTurn } from './turn.ts';

/** The most blocks that may wait for a slow peer; beyond it the session ends, the next one compares. */
export const MAX_QUEUED_BLOCKS = 1_000_000;

/** Larger frames than this, in bytes, gain nothing on a data channel and hold up control messages. */
const CAR_FRAME_BYTES = 64 * 1024;

interface FullFrame {
  readonly frame: Uint8Array;
  /** Where the last block ends that is whole with this frame. */
  readonly blockEnd: number;
}

interface Mark {
  readonly callback: () => void;
}

export interface OutboxLimits {
  /** The other side's receive window and the largest frame that both sides take, in bytes. */
  readonly windowBytes: number;
  readonly maxFrameBytes: number;
}

/**
 * The sending half of a session: one endless CAR, cut into frames, sent as fast as the other side's
 * window and the channel's buffer allow. Blocks go out in the order given; what is stored while the
 * first sync runs waits in a queue behind it.
 */
export class Outbox {
  readonly #host: DialectHost;
  readonly #roots: readonly CID[];
  readonly #onSent: (blockBytes: number) => void;
  readonly #queue = new Queue<CID | Mark>();
  #queuedBlocks = 0;
  #pushedBlocks = 0;
  readonly #changed = new Signal();
  #windowBytes = 0;
  #payloadBytes = 0;
  /** CAR bytes that do not fill a frame yet, and frames that wait for room. */
  #parts: Uint8Array[] = [];
  #partsLength = 0;
  readonly #full: FullFrame[] = [];
  /** Bytes of the CAR: given to frames or parts, sent, and called stored by the other side. */
  #offered = 0;
  #sent = 0;
  #stored = 0;
  readonly #pace = new Pace();
  /** Where the last whole block ended that was offered, and that was sent. */
  #blockEnd = 0;
  #sentBlockEnd = 0;
  /**
   * Since a frame was sent that was not full, until the event loop turns: what is written meanwhile
   * shares a frame. So a lone write goes out at once, and a burst of them in few frames.
   */
  #turn: Promise<void> | undefined;
  #marks: { readonly at: number; readonly callback: () => void }[] = [];
  #stopped = false;
  #interrupted = false;
  /** How many snapshots were sent. */
  #snapshots = 0;

  constructor(host: DialectHost, roots: readonly CID[], onSent: (blockBytes: number) => void) {
    this.#host = host;
    this.#roots = roots;
    this.#onSent = onSent;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** True when nothing waits and all that was sent is stored on the other side. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#stored === this.#offered;
  }

  open(limits: OutboxLimits): void {
    this.#windowBytes = limits.windowBytes;
    this.#payloadBytes = Math.min(limits.maxFrameBytes, CAR_FRAME_BYTES) - 1;
  }

  /** @throws ProtocolError `limit-exceeded` when too many wait already */
  push(cids: readonly CID[]): void {
    this.#queuedBlocks += cids.length;
    if (this.#queuedBlocks > MAX_QUEUED_BLOCKS) {
      throw new ProtocolError(
        'limit-exceeded',
        `more than ${MAX_QUEUED_BLOCKS} blocks wait for the other side`,
      );
    }
    this.#pushedBlocks += cids.length;
    for (const cid of cids) this.#queue.push(cid);
    this.#changed.wake();
  }

  /** The place in the queue behind everything that was pushed. */
  get place(): number {
    return this.#pushedBlocks;
  }

  /**
   * Forgets the queued blocks before this place, which the first sync is about to send. Marks keep
   * their place. To be called while nothing is sent.
   */
  forgetQueue(before: number = this.#pushedBlocks): void {
    let place = this.#pushedBlocks - this.#queuedBlocks;
    for (const item of this.#queue.takeAll()) {
      if (isMark(item)) this.#queue.push(item);
      else if (place++ >= before) this.#queue.push(item);
      else this.#queuedBlocks--;
    }
  }

  /** Calls back once the other side has stored what is sent and queued now. */
  whenStored(callback: () => void): void {
    this.#queue.push({ callback });
    this.#changed.wake();
  }

  /** Calls back once the other side has stored what is sent now, whatever is queued. */
  whenSentIsStored(callback: () => void): void {
    this.#marks.push({ at: this.#offered, callback });
    this.#settleMarks();
  }

  /**
   * The other side has stored so many bytes of the CAR.
   * @throws ProtocolError `unexpected-message` when that is no news, or more than was sent
   */
  stored(bytes: number): void {
    if (bytes <= this.#stored || bytes > this.#sent) {
      throw new ProtocolError(
        'unexpected-message',
        `stored: ${bytes} bytes, after ${this.#stored}, of ${this.#sent} sent`,
      );
    }
    this.#stored = bytes;
    this.#pace.stored(bytes, performance.now());
    this.#settleMarks();
    this.#changed.wake();
  }

  /** Sends blocks, and returns when their last byte is sent. */
  async send(slicesOfCids: AsyncIterable<readonly CID[]>): Promise<void> {
    const snapshots = this.#snapshots;
    for await (const slice of slicesOfCids) {
      for (const cid of slice) {
        // What the replica has dropped meanwhile is in a snapshot that was sent meanwhile.
        if (this.#snapshots > snapshots && (await this.#host.replica.has(cid)) === false) continue;
        // Without an await per block where none is needed.
        const pending = this.#sendBlock(cid);
        if (pending !== undefined) await pending;
      }
    }
    await this.#flush();
  }

  /** Sends the replica's state, in place of the blocks that wait, and returns when all is sent. */
  async sendSnapshot(): Promise<void> {
    await this.#packSnapshot();
    await this.#flush();
  }

  /** Sends what is queued and what comes, block by block, until `stop` or `interrupt`. */
  async live(): Promise<void> {
    for (;;) {
      if (this.#stopped || this.#interrupted) break;
      const item = this.#queue.shift();
      if (item === undefined) {
        if (this.#partsLength > 0 && this.#turn !== undefined) {
          await this.#turn;
          continue;
        }
        await this.#flush();
        if (this.#queue.length === 0) await this.#changed.wait();
      } else if (isMark(item)) {
        this.whenSentIsStored(item.callback);
      } else {
        this.#queuedBlocks--;
        const pending = this.#sendBlock(item);
        if (pending !== undefined) await pending;
      }
    }
    this.#interrupted = false;
  }

  /** Makes `live` return, or the next call of it. */
  interrupt(): void {
    this.#interrupted = true;
    this.#changed.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#changed.wake();
  }

  #settleMarks(): void {
    const due = this.#marks.filter(({ at }) => at <= this.#stored);
    if (due.length === 0) return;
    this.#marks = this.#marks.filter(({ at }) => at > this.#stored);
    for (const { callback } of due) callback();
  }

  // --- blocks into frames ---

  #sendBlock(cid: CID): Promise<void> | undefined {
    const bytes = this.#host.replica.getBlock(cid);
    if (bytes instanceof Promise) {
      return bytes.then((loaded) => this.#pack(cid, loaded));
    }
    return this.#pack(cid, bytes);
  }

  #pack(cid: CID, bytes: Uint8Array | undefined): Promise<void> | undefined {
    if (bytes === undefined) {
      // Old commits may give way to a snapshot while they wait for a slow peer.
      if (this.#host.replica.history?.isPruned === true) return this.#packSnapshot();
      throw new StorageError('missing-block', `missing block: ${cid.toString()}`);
    }
    if (this.#offered === 0) this.#add(carHeader(this.#roots));
    const block: Block = { cid, bytes };
    for (const part of carFrame(block)) this.#add(part);
    this.#blockEnd = this.#offered;
    this.#onSent(bytes.length);
    return this.#full.length > 0 ? this.#sendFull() : undefined;
  }

  async #packSnapshot(): Promise<void> {
    this.forgetQueue();
    this.#snapshots++;
    const { history } = this.#host.replica;
    for await (const { cid, bytes } of history!.snapshot()) await this.#pack(cid, bytes);
  }

  #add(part: Uint8Array): void {
    this.#offered += part.length;
    let rest = part;
    while (this.#partsLength + rest.length >= this.#payloadBytes) {
      const taken = this.#payloadBytes - this.#partsLength;
      this.#parts.push(rest.subarray(0, taken));
      this.#partsLength += taken;
      this.#cutFrame();
      rest = rest.subarray(taken);
    }
    if (rest.length > 0) {
      this.#parts.push(rest);
      this.#partsLength += rest.length;
    }
  }

  #cutFrame(): void {
    const frame = encodeCarFrame(this.#parts, this.#partsLength);
    this.#full.push({ frame, blockEnd: this.#blockEnd });
    this.#parts = [];
    this.#partsLength = 0;
  }

  async #flush(): Promise<void> {
    if (this.#partsLength > 0) {
      this.#cutFrame();
      this.#turn = nextTurn().then(() => {
        this.#turn = undefined;
      });
    }
    await this.#sendFull();
  }

  async #sendFull(): Promise<void> {
    for (const { frame, blockEnd } of this.#full) {
      const length = frame.length - 1;
      while (!this.#stopped && this.#mustWait(this.#sent + length - this.#stored)) {
        await this.#changed.wait();
      }
      const { channel } = this.#host;
      if (!this.#stopped && channel.congested) await channel.drained();
      if (this.#stopped) throw new ConnectionError('closed', 'the session has ended');
      this.#host.send(frame);
      this.#sent += length;
      this.#sentBlockEnd = blockEnd;
      this.#pace.sent(this.#sent, performance.now());
    }
    this.#full.length = 0;
  }

  /** Whole blocks are acknowledged: the pace holds nothing up while none is under way. */
  #mustWait(underWay: number): boolean {
    if (underWay > this.#windowBytes) return true;
    return underWay > this.#pace.bytes && this.#sentBlockEnd > this.#stored;
  }
}

function isMark(item: CID | Mark): item is Mark {
  return 'callback' in item;
}
