import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';
import { carFrame, carHeader } from '../car/writer.ts';
import { ProtocolError, StorageError } from '../errors.ts';
import type { DialectHost } from './dialect.ts';
import { deflate, SLOW_LINK_BYTES_PER_MS } from './deflate.ts';
import type { CidSet } from './diff/list.ts';
import { HeldBlocks } from './held-blocks.ts';
import { encodeCarFrame, encodeMessage } from './messages.ts';
import { Pace } from './pace.ts';
import { Queue, Signal } from './queue.ts';
import { SentBlocks } from './sent-blocks.ts';
import { nextTurn } from '../turn.ts';
import { outOfTurn, overLimit, sessionEnded } from './violations.ts';

/** The most blocks that may wait for a slow peer; beyond it the session ends, the next one compares. */
export const MAX_QUEUED_BLOCKS = 1_000_000;

/** Larger frames than this, in bytes, gain nothing on a data channel and hold up control messages. */
const CAR_FRAME_BYTES = 64 * 1024;

interface FullFrame {
  readonly frame: Uint8Array;
  /** Where the last block ends that is whole with this frame. */
  readonly blockEnd: number;
}

/** More blocks than this, stored at once, are no live write: they wait behind what waits already. */
const MAX_LIVE_GROUP = 16;

interface Mark {
  readonly callback: () => void;
}

export interface OutboxLimits {
  /** The other side's receive window and the largest frame that both sides take, in bytes. */
  readonly windowBytes: number;
  readonly maxFrameBytes: number;
  readonly deflate: Compression;
}

/** Whether bulk is deflated: `auto` on links so slow that this is worth it. */
export type Compression = 'auto' | 'always' | 'never';

/** Shorter frames are not worth deflating. */
const MIN_DEFLATED_BYTES = 1024;

/**
 * The sending half of a session: one endless CAR, cut into frames, sent as fast as the other side's
 * window and the channel's buffer allow. Blocks go out in the order given; what is stored while the
 * first sync runs, or a large import, waits in a queue behind it. A live write overtakes both when
 * the other side has its parents and can apply it at once.
 */
export class Outbox {
  readonly #host: DialectHost;
  readonly #roots: readonly CID[];
  readonly #onSent: (blockBytes: number) => void;
  readonly #sentBlocks: SentBlocks;
  /** What was pushed and is not looked at yet, then what waits for its turn. */
  readonly #fresh = new Queue<readonly CID[] | Mark>();
  readonly #queue = new Queue<CID | Mark>();
  /** What the other side has when it gets what is sent next, and what it has by its own account. */
  readonly #held = new HeldBlocks();
  readonly #known = new HeldBlocks();
  #queuedBlocks = 0;
  #pushedBlocks = 0;
  readonly #changed = new Signal();
  #windowBytes = 0;
  #deflate: Compression = 'never';
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
  #isThere: (page: CID) => boolean = () => false;
  #holds = false;
  #only: CidSet | undefined;

  constructor(host: DialectHost, roots: readonly CID[], onSent: (blockBytes: number) => void) {
    this.#host = host;
    this.#roots = roots;
    this.#onSent = onSent;
    this.#sentBlocks = new SentBlocks(host.trace);
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** True when nothing waits and all that was sent is stored on the other side. */
  get idle(): boolean {
    const waiting = this.#fresh.length + this.#queue.length;
    return waiting === 0 && this.#stored === this.#offered;
  }

  open(limits: OutboxLimits): void {
    this.#windowBytes = limits.windowBytes;
    this.#deflate = limits.deflate;
    this.#payloadBytes = Math.min(limits.maxFrameBytes, CAR_FRAME_BYTES) - 1;
  }

  /** @throws ProtocolError `limit-exceeded` when too many wait already */
  push(cids: readonly CID[]): void {
    this.#queuedBlocks += cids.length;
    if (this.#queuedBlocks > MAX_QUEUED_BLOCKS) throw tooManyWait();
    this.#pushedBlocks += cids.length;
    this.#fresh.push(cids);
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
    this.#enqueueFresh();
    let place = this.#pushedBlocks - this.#queuedBlocks;
    for (const item of this.#queue.takeAll()) {
      if (isMark(item)) this.#queue.push(item);
      else if (place++ >= before) this.#queue.push(item);
      else this.#queuedBlocks--;
    }
  }

  /** Calls back once the other side has stored what is sent and queued now. */
  whenStored(callback: () => void): void {
    this.#fresh.push({ callback });
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
      throw outOfTurn(`stored: ${bytes} bytes, after ${this.#stored}, of ${this.#sent} sent`);
    }
    this.#stored = bytes;
    this.#sentBlocks.stored(bytes);
    this.#pace.stored(bytes, performance.now());
    this.#settleMarks();
    this.#changed.wake();
  }

  /** The other side holds these blocks, or has been sent all that is below them and themselves. */
  held(cids: readonly CID[]): void {
    this.#held.add(cids);
  }

  /** The other side has shown that it holds these: they are not sent, even if they wait here. */
  shown(cids: readonly CID[]): void {
    this.#held.add(cids);
    this.#known.add(cids);
  }

  /** The same for the key of a block. */
  known(key: string): void {
    this.#held.addKey(key);
    this.#known.addKey(key);
  }

  /** True when the other side holds the block by its own account. */
  isKnown(cid: CID): boolean {
    return this.#known.has(cid);
  }

  /** True for few blocks, stored together, that the other side can apply at once. */
  areApplicable(cids: readonly CID[]): boolean {
    if (cids.length > MAX_LIVE_GROUP) return false;
    const group = new Set<string>();
    for (const cid of cids) {
      const bytes = this.#host.replica.getBlock(cid);
      // What has to be fetched from a disk is not fresh.
      if (bytes === undefined || bytes instanceof Promise) return false;
      if (!this.#canApply({ cid, bytes }, group)) return false;
      group.add(String(cid));
    }
    return true;
  }

  /** Sends blocks, and returns when their last byte is sent. `hold` stops it between two of them. */
  async send(slicesOfCids: AsyncIterable<readonly CID[]>): Promise<void> {
    const snapshots = this.#snapshots;
    for await (const slice of slicesOfCids) {
      for (const cid of slice) {
        if (this.#fresh.length > 0) await this.#overtake();
        if (this.#holds) await this.#untilGo();
        if (this.#only?.has(cid) === false) continue;
        // What the replica has dropped meanwhile is in a snapshot that was sent meanwhile.
        if (this.#snapshots > snapshots && (await this.#host.replica.has(cid)) === false) continue;
        // Without an await per block where none is needed.
        const pending = this.#sendBlock(cid);
        if (pending !== undefined) await pending;
      }
    }
    this.#only = undefined;
    await this.#flush();
  }

  /** Sends the replica's state, in place of the blocks that wait, and returns when all is sent. */
  async sendSnapshot(): Promise<void> {
    await this.#packSnapshot();
    await this.#flush();
  }

  /** Stops `send` until `goOn`; live writes still overtake. */
  hold(): void {
    this.#holds = true;
  }

  /** Lets `send` go on, of its blocks with these only. */
  goOn(only: CidSet | undefined): void {
    this.#holds = false;
    this.#only = only;
    this.#changed.wake();
  }

  async #untilGo(): Promise<void> {
    // What the other side can read to its end need not wait for the rest.
    await this.#flush();
    while (this.#holds) {
      if (this.#stopped) throw sessionEnded();
      await this.#changed.wait();
      if (this.#fresh.length > 0) await this.#overtake();
    }
  }

  /** Names the pages that the other side has of a snapshot which did not arrive whole. */
  leaveOut(isThere: (page: CID) => boolean): void {
    this.#isThere = isThere;
  }

  /** Sends what is queued and what comes, block by block, until `stop` or `interrupt`. */
  async live(): Promise<void> {
    for (;;) {
      if (this.#stopped || this.#interrupted) break;
      if (this.#queue.length === 0) this.#enqueueFresh(1);
      else if (this.#fresh.length > 0) await this.#overtake();
      const item = this.#queue.shift();
      if (item === undefined) {
        if (this.#partsLength > 0 && this.#turn !== undefined) {
          await this.#turn;
          continue;
        }
        await this.#flush();
        if (this.#fresh.length === 0) await this.#changed.wait();
      } else if (isMark(item)) {
        this.whenSentIsStored(item.callback);
      } else {
        this.#queuedBlocks--;
        if (this.#known.has(item)) continue;
        const pending = this.#sendBlock(item);
        this.#held.add([item]);
        if (pending !== undefined) await pending;
      }
    }
    this.#interrupted = false;
  }

  /** Puts the first `count` of what was pushed behind what waits. */
  #enqueueFresh(count = this.#fresh.length): void {
    for (let left = count; left > 0; left--) {
      const item = this.#fresh.shift();
      if (item === undefined) return;
      if (isMark(item)) this.#queue.push(item);
      else for (const cid of item) this.#queue.push(cid);
    }
  }

  /** Sends of what was pushed the live writes that need nothing of what waits; the rest waits too. */
  async #overtake(): Promise<void> {
    let overtakes = false;
    for (let item = this.#fresh.shift(); item !== undefined; item = this.#fresh.shift()) {
      if (isMark(item)) this.#queue.push(item);
      else if (item.length > MAX_LIVE_GROUP) for (const cid of item) this.#queue.push(cid);
      else {
        for (const cid of item) {
          if (this.#known.has(cid)) {
            this.#queuedBlocks--;
            continue;
          }
          const block = await this.#load(cid);
          if (block !== undefined && this.#canApply(block)) {
            this.#queuedBlocks--;
            this.#held.add([cid]);
            overtakes = true;
            await this.#pack(block);
          } else this.#queue.push(cid);
        }
      }
    }
    if (overtakes) await this.#flush();
  }

  /** True when the other side has all that the block needs, or gets it with this group. */
  #canApply(block: Block, group?: ReadonlySet<string>): boolean {
    const parents = this.#host.replica.parentsOf(block) ?? [];
    return parents.every((parent) => this.#held.has(parent) || group?.has(String(parent)) === true);
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
    const block = this.#load(cid);
    return block instanceof Promise
      ? block.then((loaded) => this.#pack(loaded))
      : this.#pack(block);
  }

  /** Undefined for a block that gave way to a snapshot while it waited for a slow peer. */
  #load(cid: CID): MaybePromise<Block | undefined> {
    const bytes = this.#host.replica.getBlock(cid);
    return bytes instanceof Promise
      ? bytes.then((loaded) => this.#blockOf(cid, loaded))
      : this.#blockOf(cid, bytes);
  }

  #blockOf(cid: CID, bytes: Uint8Array | undefined): Block | undefined {
    if (bytes !== undefined) return { cid, bytes };
    if (this.#host.replica.history?.isPruned === true) return undefined;
    throw new StorageError('missing-block', `missing block: ${cid}`);
  }

  #pack(block: Block | undefined): Promise<void> | undefined {
    if (block === undefined) return this.#packSnapshot();
    if (this.#offered === 0) this.#add(carHeader(this.#roots));
    for (const part of carFrame(block)) this.#add(part);
    this.#blockEnd = this.#offered;
    this.#sentBlocks.packed(block, this.#blockEnd);
    this.#onSent(block.bytes.length);
    return this.#full.length > 0 ? this.#sendFull() : undefined;
  }

  async #packSnapshot(): Promise<void> {
    this.forgetQueue();
    this.#snapshots++;
    const { history } = this.#host.replica;
    for await (const block of history!.snapshot()) {
      if (this.#holds) await this.#untilGo();
      if (this.#isThere(block.cid)) continue;
      // Somebody else has brought them all of it meanwhile.
      if (this.#only?.size === 0) break;
      await this.#pack(block);
    }
    this.#only = undefined;
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
    const frame = encodeCarFrame(this.#parts);
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
        this.#pace.waited(performance.now());
        await this.#changed.wait();
      }
      const { channel } = this.#host;
      if (!this.#stopped && channel.congested) {
        this.#pace.waited(performance.now());
        await channel.drained();
      }
      const packed = this.#deflates(length) ? this.#packed(frame) : frame;
      const sent = packed instanceof Promise ? await packed : packed;
      if (this.#stopped) throw sessionEnded();
      this.#host.send(sent, sent === frame ? 'car' : 'packed');
      this.#sent += length;
      this.#sentBlockEnd = blockEnd;
      this.#sentBlocks.sent(blockEnd);
      this.#pace.sent(this.#sent, performance.now());
      this.#pace.carried(length, sent.length);
    }
    this.#full.length = 0;
  }

  #deflates(length: number): boolean {
    if (this.#deflate === 'never' || length < MIN_DEFLATED_BYTES) return false;
    return this.#deflate === 'always' || this.#pace.linkBytesPerMs < SLOW_LINK_BYTES_PER_MS;
  }

  /** The frame with its bytes deflated, or as it is where that is not larger. */
  #packed(frame: Uint8Array): MaybePromise<Uint8Array> {
    const bytes = frame.subarray(1);
    const pack = (deflated: Uint8Array): Uint8Array => {
      const packed = encodeMessage({ kind: 'packed', length: bytes.length, bytes: deflated });
      return packed.length < frame.length ? packed : frame;
    };
    const deflated = deflate(bytes);
    return deflated instanceof Promise ? deflated.then(pack) : pack(deflated);
  }

  /** Whole blocks are acknowledged: the pace holds nothing up while none is under way. */
  #mustWait(underWay: number): boolean {
    if (underWay > this.#windowBytes) return true;
    return underWay > this.#pace.bytes && this.#sentBlockEnd > this.#stored;
  }
}

export function tooManyWait(): ProtocolError {
  return overLimit(`more than ${MAX_QUEUED_BLOCKS} blocks wait for the other side`);
}

function isMark(item: CID | readonly CID[] | Mark): item is Mark {
  return 'callback' in item;
}
