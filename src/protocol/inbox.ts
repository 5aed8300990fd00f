import type { Block, MaybePromise } from '../blocks.ts';
import { verifyBlockSoon } from '../blocks.ts';
import { CarReader } from '../car/reader.ts';
import { ProtocolError } from '../errors.ts';
import { inflate } from './deflate.ts';
import { Queue, Signal } from './queue.ts';
import type { Replica } from './replica.ts';
import { turns } from '../turn.ts';

/** Verified blocks are handed to the replica when they amount to this many bytes. */
const BATCH_BYTES = 256 * 1024;
/** While more is waiting, storage is acknowledged in steps of this many bytes. */
const ACKNOWLEDGE_BYTES = 64 * 1024;

/** What must not overtake the CAR bytes before it. */
export type Milestone = 'done' | 'bye';

/** Deflated bytes of the CAR, and how many they are. */
interface Packed {
  readonly deflated: Uint8Array;
  readonly length: number;
}

export interface InboxHooks {
  /** Blocks are about to be stored. */
  arriving(blocks: readonly Block[]): MaybePromise<void>;
  /** They are over: stored, or not. */
  arrived(blocks: readonly Block[]): void;
  /** Blocks were stored, which hold so many bytes. */
  stored(blocks: readonly Block[], blockBytes: number): void;
  /** So many bytes of the CAR, from its beginning, are stored: tell the other side. */
  acknowledge(bytes: number): void;
  /** Everything before the milestone is stored. */
  reached(milestone: Milestone): void;
}

/**
 * The receiving half of a session: the other side's endless CAR, from frames to stored blocks, one
 * frame at a time. What arrived and is not yet acknowledged never exceeds the window.
 */
export class Inbox {
  readonly #replica: Replica;
  readonly #origin: object;
  readonly #windowBytes: number;
  readonly #hooks: InboxHooks;
  readonly #reader = new CarReader();
  readonly #queue = new Queue<Uint8Array | Packed | Milestone>();
  readonly #work = new Signal();
  #batch: Block[] = [];
  #batchBytes = 0;
  /** Bytes of the CAR: arrived, parsed to the end of a block, stored, and called stored. */
  #arrived = 0;
  #parsed = 0;
  #stored = 0;
  #acknowledged = 0;
  #ending = false;
  #stopped = false;

  constructor(replica: Replica, origin: object, windowBytes: number, hooks: InboxHooks) {
    this.#replica = replica;
    this.#origin = origin;
    this.#windowBytes = windowBytes;
    this.#hooks = hooks;
  }

  /** True when everything that arrived is stored, to the last byte. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#stored === this.#arrived;
  }

  /** @throws ProtocolError `window-exceeded` */
  accept(bytes: Uint8Array | Packed): void {
    this.#arrived += bytes.length;
    if (this.#arrived - this.#acknowledged > this.#windowBytes) {
      throw new ProtocolError(
        'window-exceeded',
        `${this.#arrived - this.#acknowledged} bytes came without an acknowledgement, ` +
          `${this.#windowBytes} were allowed`,
      );
    }
    this.#queue.push(bytes);
    this.#work.wake();
  }

  mark(milestone: Milestone): void {
    this.#queue.push(milestone);
    this.#work.wake();
  }

  /** Works until `end` or `stop`; rejects with what is wrong with the bytes or with the replica. */
  async run(): Promise<void> {
    let turn = turns();
    while (!this.#stopped) {
      const item = this.#queue.shift();
      if (item === undefined || typeof item === 'string') {
        await this.#store();
        this.#acknowledge();
        if (item !== undefined) this.#hooks.reached(item);
        else if (this.#queue.length > 0) continue;
        else if (this.#ending) return;
        else {
          await this.#work.wait();
          turn = turns();
        }
      } else {
        const bytes = item instanceof Uint8Array ? item : inflate(item.deflated, item.length);
        await this.#parse(bytes instanceof Promise ? await bytes : bytes);
        if (this.#batchBytes >= BATCH_BYTES) await this.#store();
        if (this.#stored - this.#acknowledged >= ACKNOWLEDGE_BYTES) this.#acknowledge();
        // Bulk must not keep live writes waiting, neither our own nor those of other sessions.
        await turn();
      }
    }
  }

  /** Nothing more will arrive: `run` resolves when the rest is stored. */
  end(): void {
    this.#ending = true;
    this.#work.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#work.wake();
  }

  async #parse(bytes: Uint8Array): Promise<void> {
    try {
      for (const block of this.#reader.push(bytes)) {
        const verified = verifyBlockSoon(block);
        // Without an await per block where none is needed.
        if (verified !== undefined) await verified;
        this.#batch.push({ cid: block.cid, bytes: block.bytes });
        this.#batchBytes += block.bytes.length;
        this.#parsed = block.offset + block.length;
      }
    } catch (error) {
      // What came before the bad block is as good as ever.
      await this.#store();
      throw error;
    }
  }

  async #store(): Promise<void> {
    if (this.#batch.length === 0) return;
    const [blocks, bytes, parsed] = [this.#batch, this.#batchBytes, this.#parsed];
    this.#batch = [];
    this.#batchBytes = 0;
    const pending = this.#hooks.arriving(blocks);
    if (pending !== undefined) await pending;
    try {
      await this.#replica.receive(blocks, this.#origin);
    } finally {
      this.#hooks.arrived(blocks);
    }
    this.#stored = parsed;
    this.#hooks.stored(blocks, bytes);
  }

  #acknowledge(): void {
    if (this.#stored === this.#acknowledged || this.#stopped) return;
    this.#acknowledged = this.#stored;
    this.#hooks.acknowledge(this.#stored);
  }
}
