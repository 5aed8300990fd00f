import type { CID } from 'multiformats/cid';
import { type Block, type MaybePromise, verifyBlockSoon } from '../blocks.ts';
import { carFrames, carHeader, carPrefixLength } from '../car/writer.ts';
import { BlockError, LedgerError, StorageError } from '../errors.ts';
import { andThen, finish, orElse } from './maybe.ts';
import type { Place } from './place.ts';
import { type FoundBlock, scanSegment } from './recovery.ts';

/*
 * The log: every block a ledger holds, in the order in which they were stored, in files that any CAR
 * tool reads.
 *
 * 1. Bytes are only ever appended. What was acknowledged is not touched again.
 * 2. Each segment is a CARv1 whose one root is its first block; its header is written together with
 *    that block, so there is no segment without one.
 * 3. An append that fails leaves the log as it was: what it wrote is cut off, at the latest before
 *    the next append.
 * 4. Only a tail in which no block hashes right is ever cut by recovery. Other damage stays where it
 *    is, so that nothing that somebody could still read is lost.
 */

/** Where the bytes of a block lie: segment number (from 1), offset and length of its data in bytes. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** A point between two blocks of the log: everything before it lies in earlier bytes. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

export interface LogEntry extends Block, Location {}

/** What could not be used. Nothing is dropped in silence. */
export interface LogDamage {
  readonly kind: 'torn-tail' | 'corrupt-block';
  /** The segment's file name. */
  readonly segment: string;
  readonly offset: number;
  /** Bytes cut off (torn tail) or passed over (corrupt block, or corrupt header). */
  readonly length: number;
}

export interface LogOptions {
  /** `strict`: synced to the disk before `append` is done. `relaxed`: handed to the system. */
  durability: 'relaxed' | 'strict';
  /** Segment files are called `<prefix>-00000001.car`. Default `log`. */
  prefix?: string;
  /** A segment that has grown to this many bytes is followed by a new one. Default 64 MiB. */
  segmentBytes?: number;
}

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

/** Groups of blocks up to this size are put together in the same memory each time. */
const SCRATCH_BYTES = 512 * 1024;

/** A segment file and how many of its bytes count. */
interface Extent {
  readonly segment: number;
  readonly size: number;
}

/**
 * The log of one place. The caller keeps its calls apart: one `append`, `recover` or `clear` at a
 * time; `read` may run at any time.
 */
export class Log {
  readonly #place: Place;
  readonly #durability: LogOptions['durability'];
  readonly #prefix: string;
  readonly #segmentBytes: number;
  readonly #sizes: Map<number, number>;
  readonly #damage: LogDamage[] = [];
  readonly #reported = new Set<string>();
  readonly #unsynced = new Set<number>();
  readonly #reads = new Set<Promise<unknown>>();
  #state: 'unrecovered' | 'ready' | 'busy';
  #scratch: Uint8Array | undefined;
  #last = 0;
  /** Segments before this one were dropped on purpose. */
  #dropped = 0;
  /** What the last append failed to cut off again. */
  #uncut: Extent | undefined;
  /** True when nothing more may be appended to the last segment. */
  #lastIsClosed = false;

  private constructor(place: Place, options: LogOptions, sizes: Map<number, number>) {
    this.#place = place;
    this.#durability = options.durability;
    this.#prefix = options.prefix ?? 'log';
    this.#segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    this.#sizes = sizes;
    for (const segment of sizes.keys()) this.#last = segment;
    this.#state = sizes.size === 0 ? 'ready' : 'unrecovered';
  }

  /**
   * Finds the segments and reads none of them: `recover` does.
   * @throws LedgerError `invalid-option`
   * @throws StorageError
   */
  static async open(place: Place, options: LogOptions): Promise<Log> {
    const { prefix = 'log', segmentBytes = DEFAULT_SEGMENT_BYTES } = options;
    if (!/^[a-z0-9]+$/.test(prefix)) {
      throw new LedgerError(
        'invalid-option',
        `log prefix ${JSON.stringify(prefix)}: not [a-z0-9]+`,
      );
    }
    if (!Number.isSafeInteger(segmentBytes) || segmentBytes < 1) {
      throw new LedgerError('invalid-option', `segmentBytes ${segmentBytes}: no number of bytes`);
    }
    const pattern = new RegExp(`^${prefix}-(\\d{8,15})\\.car$`);
    const found: [segment: number, size: number][] = [];
    for (const { name, size } of await place.list()) {
      const segment = Number(pattern.exec(name)?.[1]);
      if (segment >= 1) found.push([segment, size]);
    }
    found.sort(([a], [b]) => a - b);
    return new Log(place, options, new Map(found));
  }

  /** Sizes of the segments as found at opening and since appended to, by number, in order. */
  get segments(): ReadonlyMap<number, number> {
    return this.#sizes;
  }

  /** What the segments have together. */
  get bytes(): number {
    let bytes = 0;
    for (const size of this.#sizes.values()) bytes += size;
    return bytes;
  }

  /** What `recover` and `read` found damaged so far. */
  get damage(): readonly LogDamage[] {
    return this.#damage;
  }

  /** The end of the log. */
  get end(): LogPosition {
    const offset = this.#sizes.get(this.#last);
    return offset === undefined
      ? { segment: this.#last + 1, offset: 0 }
      : { segment: this.#last, offset };
  }

  /**
   * All blocks after `from` (default: the beginning) in log order, hashes checked, in batches of
   * about 1 MiB whose bytes are views of what was read at once: copy what is to be kept.
   *
   * Corrupt blocks are passed over and reported; a torn tail is cut, and reported. Run it to its end
   * before the first `append`. After damage a block may come twice, or one that was never appended
   * but stood, whole, in the data of a damaged one. A CID's codec is covered by no hash: a block
   * whose codec was damaged comes under another CID.
   * @throws StorageError `corrupt` when the log does not reach to `from`
   */
  async *recover(from: LogPosition = { segment: 1, offset: 0 }): AsyncGenerator<LogEntry[], void> {
    let after = this.#state;
    this.#enter('recover');
    try {
      const size = this.#sizes.get(from.segment) ?? 0;
      if (from.offset > size) {
        const { segment, offset } = from;
        throw corrupt(`ends at byte ${size}, not ${offset}`, this.#name(segment), offset);
      }
      for (const segment of this.#sizes.keys()) {
        if (segment < from.segment) continue;
        yield* this.#recoverSegment(segment, segment === from.segment ? from.offset : 0);
      }
      // A process that was killed may have written the end without syncing it; from now on it counts.
      if (this.#sizes.has(this.#last)) this.#unsynced.add(this.#last);
      if (this.#durability === 'strict') await this.flush();
      after = 'ready';
    } finally {
      this.#state = after;
    }
  }

  /**
   * Writes blocks in order, all or none of them, by one append to one segment; done when they are as
   * durable as promised, at once where the place answers at once. Their hashes are the caller's
   * business. After a crash within an append there may be the first few of its blocks.
   * @throws StorageError; the log is then as it was before and usable
   * @throws BlockError `block-too-large`, `unsupported-cid`; nothing was written
   */
  append(blocks: readonly Block[]): MaybePromise<Location[]> {
    this.#enter('append');
    return finish(
      () => {
        if (blocks.length === 0) return [];
        const { segment, size } = this.#target();
        const header = size === 0 ? carHeader([blocks[0]!.cid]) : undefined;
        this.#scratch ??= new Uint8Array(SCRATCH_BYTES);
        const bytes = carFrames(blocks, header, this.#scratch);
        const locations = locate(blocks, segment, size + (header?.length ?? 0));
        return andThen(this.#cutLeftover(), () =>
          orElse(
            () =>
              andThen(this.#write(segment, bytes), () => {
                this.#sizes.set(segment, size + bytes.length);
                if (segment > this.#last) [this.#last, this.#lastIsClosed] = [segment, false];
                return locations;
              }),
            (error) => this.#undo({ segment, size }, error),
          ),
        );
      },
      () => {
        this.#state = 'ready';
      },
    );
  }

  /** @throws StorageError `corrupt` with segment and offset when the bytes do not hash to `cid` */
  read(location: Location, cid: CID): MaybePromise<Uint8Array> {
    const { segment, offset, length } = location;
    const name = this.#name(segment);
    if (segment < this.#dropped) {
      throw new StorageError('missing-block', `block ${cid.toString()} was dropped from the log`);
    }
    if (!this.#sizes.has(segment)) {
      throw corrupt(`is not there, and with it block ${cid.toString()}`, name, offset);
    }
    const stored = this.#place.read(name, offset, length);
    if (stored instanceof Promise) this.#track(stored);
    const failed = (error?: unknown): never => {
      const isMismatch = error instanceof BlockError && error.code === 'hash-mismatch';
      if (error !== undefined && !isMismatch) throw error;
      this.#report({ kind: 'corrupt-block', segment: name, offset, length });
      throw corrupt(`does not hold block ${cid.toString()} at byte ${offset}`, name, offset);
    };
    return andThen(stored, (bytes) => {
      if (bytes.length < length) return failed();
      return andThen(
        orElse(() => verifyBlockSoon({ cid, bytes }), failed),
        () => bytes,
      );
    });
  }

  /** Lets the next append begin a new segment; returns its number. */
  roll(): number {
    if (this.#sizes.has(this.#last)) this.#lastIsClosed = true;
    return this.#target().segment;
  }

  /**
   * Removes the segments before this one, the newest of them first, when the reads that have begun are
   * done. Later reads from them fail with `missing-block`.
   */
  async dropBefore(segment: number): Promise<void> {
    this.#enter('clear');
    this.#dropped = segment;
    try {
      await Promise.allSettled(this.#reads);
      for (const old of [...this.#sizes.keys()].reverse()) {
        if (old < segment) await this.#drop(old);
      }
    } finally {
      this.#state = 'ready';
    }
  }

  /** Removes all segments, the last one first; the log then begins anew. */
  async clear(): Promise<void> {
    this.#enter('clear');
    try {
      for (const segment of [...this.#sizes.keys()].reverse()) await this.#drop(segment);
      // A first segment whose append failed may lie there without counting.
      await this.#cutLeftover();
      this.#last = 0;
    } finally {
      this.#state = this.#sizes.size === 0 ? 'ready' : 'unrecovered';
    }
  }

  /** Syncs what is not yet synced. */
  async flush(): Promise<void> {
    const unsynced = Array.from(this.#unsynced);
    for (const segment of unsynced) {
      this.#unsynced.delete(segment);
      try {
        await this.#place.sync(this.#name(segment));
      } catch (error) {
        this.#unsynced.add(segment);
        throw error;
      }
    }
  }

  #track(read: Promise<unknown>): void {
    this.#reads.add(read);
    const done = (): boolean => this.#reads.delete(read);
    read.then(done, done);
  }

  // --- appending ---

  /** Cheap, so that a slip in the caller is an error and not a broken file. */
  #enter(what: 'append' | 'recover' | 'clear'): void {
    if (this.#state === 'busy') {
      throw new StorageError('io', `${what} while the log is at work: one call at a time`);
    }
    if (this.#state === 'unrecovered' && what === 'append') {
      throw new StorageError('io', 'append before recover has run to its end');
    }
    this.#state = 'busy';
  }

  /** The segment that the next append goes to, and its size. */
  #target(): Extent {
    const size = this.#sizes.get(this.#last);
    if (size === undefined || size >= this.#segmentBytes || this.#lastIsClosed) {
      return { segment: this.#last + 1, size: 0 };
    }
    return { segment: this.#last, size };
  }

  #write(segment: number, bytes: Uint8Array): MaybePromise<void> {
    const name = this.#name(segment);
    this.#unsynced.add(segment);
    return andThen(this.#place.append(name, bytes), () => {
      if (this.#durability === 'relaxed') return undefined;
      return andThen(this.#place.sync(name), () => {
        this.#unsynced.delete(segment);
      });
    });
  }

  /** Cuts off what a failed append may have left, now or before the next append; throws its error. */
  #undo(before: Extent, error: unknown): MaybePromise<never> {
    this.#uncut = before;
    const rethrow = (): never => {
      throw error;
    };
    // If even this fails, `#uncut` keeps the next append from building on the leftover.
    return andThen(
      orElse(
        () => this.#cutLeftover(),
        () => undefined,
      ),
      rethrow,
    );
  }

  #cutLeftover(): MaybePromise<void> {
    if (this.#uncut === undefined) return undefined;
    return andThen(this.#cut(this.#uncut), () => {
      this.#uncut = undefined;
    });
  }

  #cut({ segment, size }: Extent): MaybePromise<void> {
    if (size > 0) return this.#place.truncate(this.#name(segment), size);
    this.#unsynced.delete(segment);
    return this.#place.remove(this.#name(segment));
  }

  // --- recovering ---

  async *#recoverSegment(segment: number, from: number): AsyncGenerator<LogEntry[], void> {
    const name = this.#name(segment);
    const size = this.#sizes.get(segment)!;
    const readBytes = (offset: number, length: number): MaybePromise<Uint8Array> =>
      this.#place.read(name, offset, length);
    for await (const finding of scanSegment(readBytes, size, from)) {
      switch (finding.kind) {
        case 'blocks':
          yield finding.blocks.map((block: FoundBlock) => ({ ...block, segment }));
          continue;
        case 'damage': {
          const { offset, length } = finding;
          this.#report({ kind: 'corrupt-block', segment: name, offset, length });
          continue;
        }
        case 'tail': {
          const { offset, searched } = finding;
          const length = size - offset;
          if (segment === this.#last && searched) {
            await this.#cutTail(segment, offset);
            this.#report({ kind: 'torn-tail', segment: name, offset, length });
          } else {
            // A later recovery might not get across these bytes.
            if (segment === this.#last) this.#lastIsClosed = true;
            this.#report({ kind: 'corrupt-block', segment: name, offset, length });
          }
          continue;
        }
      }
    }
  }

  async #cutTail(segment: number, size: number): Promise<void> {
    if (size === 0) {
      await this.#drop(segment);
      return;
    }
    await this.#cut({ segment, size });
    this.#sizes.set(segment, size);
  }

  async #drop(segment: number): Promise<void> {
    await this.#cut({ segment, size: 0 });
    this.#sizes.delete(segment);
    // The number is used again, so that a position at the end of the log stays one.
    if (segment === this.#last) this.#last--;
  }

  #report(damage: LogDamage): void {
    const key = `${damage.kind} ${damage.segment} ${damage.offset}`;
    if (damage.length === 0 || this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#damage.push(damage);
  }

  #name(segment: number): string {
    return `${this.#prefix}-${String(segment).padStart(8, '0')}.car`;
  }
}

/** The location of an entry, which keeps none of its bytes in memory. */
export function locationOf({ segment, offset, length }: Location): Location {
  return { segment, offset, length };
}

function locate(blocks: readonly Block[], segment: number, start: number): Location[] {
  let offset = start;
  return blocks.map((block) => {
    offset += carPrefixLength(block);
    const location = { segment, offset, length: block.bytes.length };
    offset += location.length;
    return location;
  });
}

function corrupt(what: string, segment: string, offset: number): StorageError {
  return new StorageError('corrupt', `log segment ${segment} ${what}`, { segment, offset });
}
