import type { CID } from 'multiformats/cid';
import { compareBytes, concatBytes } from '../../bytes.ts';
import { KEPT_SYMBOLS, KEY_BYTES, SALT_BYTES, Sketch } from '../../sketch.ts';
import {
  byteParts,
  type DiffMessage,
  encodeMessage,
  FRAME_OVERHEAD_BYTES,
  type Hello,
  unexpected,
} from '../messages.ts';
import type { Replica } from '../replica.ts';
import { Queue } from '../queue.ts';
import { slices } from '../slices.ts';
import { type Lacks, listedCids, ListExchange, listParts } from './list-exchange.ts';
import { CidSet, keyOf } from './list.ts';
import {
  decodeCounts,
  Decoder,
  decodeSymbols,
  encodeCounts,
  encodeSymbols,
  estimateDifference,
  SYMBOL_BYTES,
  type Symbols,
  symbolsFor,
} from './riblt.ts';
import { overLimit } from '../violations.ts';

/** The most symbols of a flight, counted from the first one: enough for some 180,000 differences. */
export const MAX_SYMBOLS = 262_144;
/** With fewer blocks than this on both sides together, full lists take less than symbols do. */
export const LIST_BELOW_BLOCKS = 32;
/** Each flight ends at least half as far again as the one before. */
const FLIGHT_GROWTH = 1.5;
/** A listed block takes its digest, a wanted one its key. */
const LISTED_BYTES = 32;

/** What a difference needs of the conversation that it is part of. */
export interface DiffHost {
  readonly replica: Replica;
  /** The largest frame that both sides take, in bytes. */
  readonly frameBytes: number;
  send(message: DiffMessage): void;
  /** Resolves when the channel takes more, and rejects when the session has ended. */
  ready(): Promise<void>;
  /** Resolves when the condition holds, and rejects when the session has ended. */
  until(condition: () => boolean): Promise<void>;
}

/** What a side tells of its blocks when it says `unknown`; without counts nothing but their number. */
export interface Summary {
  readonly size: number;
  readonly counts: Uint8Array;
}

/** What the other side lacks. */
export type Finding =
  /**
   * Read out of symbols: these blocks of those summarized, parents first. It is `doubtful` when the
   * other side wants something that is not here. `ours` and `theirs` are how many were summarized.
   */
  | {
      readonly kind: 'read';
      readonly cids: readonly CID[];
      readonly doubtful: boolean;
      readonly ours: number;
      readonly theirs: number;
    }
  /** By the other side's full list. */
  | { readonly kind: 'listed'; readonly lacks: Lacks };

/**
 * Both sides have news: what does each lack? One side, the teller, sends symbols of its blocks; the
 * other one, the reader, reads the difference out of them and names what it lacks.
 *
 * 1. The first flight is as large as the counts of both summaries make believe, so that one is
 *    mostly enough. The symbols that a replica keeps have no salt, for any two replicas must be able
 *    to compare theirs; so a stranger can write blocks that make them unreadable. What they do not
 *    solve is told anew under a fresh random salt, against which nobody can have prepared.
 * 2. Full lists take over where they are smaller, where symbols contradict themselves, or where a
 *    bound is reached.
 * 3. A difference that was read wrong all the same is noticed after the stream, when blocks at or
 *    below the other side's heads are missing: then the lists decide.
 */
export class Difference {
  readonly #host: DiffHost;
  readonly #ours: Hello;
  readonly #theirs: Hello;
  readonly #list = new ListExchange('have');
  #listSent = false;
  #ourListed = 0;
  #summary: Summary = NOTHING_TOLD;
  #sketch: Sketch | undefined;
  #theirSize = 0;
  #theirCounts: readonly number[] = [];
  #isRead = false;

  // The reader's side: what came, and the flight that is under way or asked for, from one of two
  // places on. It ends where the teller likes when nothing was asked for.
  readonly #symbols = new Queue<Told>();
  #flight: Flight | undefined = { from: 0, next: undefined, end: undefined };

  // The teller's side.
  #told = false;
  /** Where the last flight ended; 0 while one is sent. */
  #sentEnd = 0;
  #asked: number | undefined;
  #wanted: Uint8Array[] = [];
  #wantedKeys = 0;
  #wantIsWhole = false;

  constructor(host: DiffHost, ours: Hello, theirs: Hello) {
    this.#host = host;
    this.#ours = ours;
    this.#theirs = theirs;
  }

  /** Takes a look at the blocks held now, with those at least that are held at the call. */
  async summarize(): Promise<Summary> {
    if (this.#ours.blockCount + this.#theirs.blockCount >= LIST_BELOW_BLOCKS) {
      const { replica } = this.#host;
      const count = replica.blockCount;
      const sketch =
        replica.sketch === undefined
          ? await this.#build(0, KEPT_SYMBOLS, NO_SALT, count)
          : await replica.sketch();
      this.#sketch = sketch;
      this.#summary = { size: sketch.size, counts: encodeCounts(sketch) };
    }
    return this.#summary;
  }

  /** @throws ProtocolError `malformed-frame` */
  compareWith({ size, counts }: Summary): void {
    this.#theirSize = size;
    this.#theirCounts = decodeCounts(counts, size);
  }

  /**
   * Takes what the other side says after both said `unknown`, and after this side's own summary.
   * @throws ProtocolError `unexpected-message`, `limit-exceeded`, `malformed-frame`
   */
  accept(message: DiffMessage): void {
    const { kind } = message;
    const role = this.#role();
    if (kind === 'have') this.#list.accept(message.list, message.last);
    else if (kind === 'symbols' && role === 'reader') this.#acceptSymbols(message);
    else if (kind === 'more' && role === 'teller') this.#acceptMore(message.end);
    else if (kind === 'want' && role === 'teller') this.#acceptWant(message.keys, message.last);
    else throw unexpected(message);
  }

  /** How many blocks each side had when lists were told. */
  get listed(): { readonly ours: number; readonly theirs: number } {
    return { ours: this.#ourListed, theirs: this.#list.listed };
  }

  /** True once the difference was read out of symbols. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** True when the other side lists its blocks all the same. */
  get isDoubted(): boolean {
    return this.#isRead && this.#list.begun;
  }

  /** Finds out what the other side lacks. Call it once, after both summaries are told. */
  async find(): Promise<Finding> {
    const role = this.#role();
    const finding =
      role === 'teller' ? await this.#tell() : role === 'reader' ? await this.#read() : undefined;
    if (finding === undefined) return { kind: 'listed', lacks: await this.exchangeLists() };
    this.#isRead = true;
    return finding;
  }

  /**
   * Tells the other side all blocks held now, and waits for its list. A side that takes nothing sends
   * an empty one, which asks for the other's.
   */
  async exchangeLists(): Promise<Lacks> {
    const { replica, frameBytes } = this.#host;
    if (!this.#listSent) {
      this.#listSent = true;
      this.#ourListed = replica.blockCount;
      const perPart = listedCids(frameBytes);
      const count = this.#ours.takes ? this.#ourListed : 0;
      for await (const part of listParts(replica.cids(), count, perPart)) {
        await this.#host.ready();
        this.#host.send({ kind: 'have', ...part });
      }
    }
    await this.#host.until(() => this.#list.complete);
    return this.#list.lacks;
  }

  /** The side that has fewer blocks tells, so that what is wanted is the shorter list. */
  #role(): 'teller' | 'reader' | 'neither' {
    if (this.#summary.counts.length === 0 || this.#theirCounts.length === 0) return 'neither';
    const [ours, theirs] = [this.#ours, this.#theirs];
    const order =
      ours.blockCount - theirs.blockCount ||
      compareBytes(encodeMessage(ours), encodeMessage(theirs));
    return order === 0 ? 'neither' : order < 0 ? 'teller' : 'reader';
  }

  /** True when lists cost less than this many symbols. */
  #listsAreSmaller(symbols: number): boolean {
    const listed = (this.#summary.size + this.#theirSize) * LISTED_BYTES;
    return symbols > MAX_SYMBOLS || symbols * SYMBOL_BYTES > listed;
  }

  /** The symbols of the `count` oldest blocks, by a pass over them. */
  async #build(first: number, end: number, salt: Uint8Array, count: number): Promise<Sketch> {
    const sketch = new Sketch(first, end, salt);
    for await (const slice of slices(this.#host.replica.cids(), count)) {
      for (const cid of slice) sketch.add(keyOf(cid));
    }
    return sketch;
  }

  // --- the teller ---

  async #tell(): Promise<Finding | undefined> {
    let sketch = this.#sketch!;
    let salt: Uint8Array = NO_SALT;
    let from = 0;
    let end = symbolsFor(estimateDifference(sketch, this.#theirCounts, this.#theirSize));
    for (let flight = 1; !this.#listsAreSmaller(end); flight++) {
      if (salt === NO_SALT && (end > KEPT_SYMBOLS || flight > UNSALTED_FLIGHTS)) {
        from = 0;
        salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
      }
      if (salt !== NO_SALT) sketch = await this.#build(from, end, salt, this.#summary.size);
      await this.#sendSymbols(sketch, salt, from, end);
      await this.#host.until(
        () => this.#asked !== undefined || this.#wantIsWhole || this.#list.begun,
      );
      if (this.#list.begun) return undefined;
      if (this.#wantIsWhole) {
        const keys = concatBytes(this.#wanted);
        const cids = await this.#find(keys);
        return this.#finding(cids, cids.length * KEY_BYTES < keys.length);
      }
      from = end;
      end = this.#asked!;
      this.#asked = undefined;
    }
    return undefined;
  }

  /** A flight, as far as the reader has not read enough before its end. */
  async #sendSymbols(sketch: Sketch, salt: Uint8Array, from: number, end: number): Promise<void> {
    this.#told = true;
    this.#sentEnd = 0;
    const perFrame = Math.floor((this.#host.frameBytes - FRAME_OVERHEAD_BYTES) / MAX_SYMBOL_BYTES);
    for (let first = from; first < end; first += perFrame) {
      await this.#host.ready();
      if (this.#wantedKeys > 0 || this.#wantIsWhole || this.#list.begun) break;
      const cells = encodeSymbols(sketch, first, Math.min(end, first + perFrame));
      this.#host.send({ kind: 'symbols', salt, first, end, size: sketch.size, cells });
    }
    this.#sentEnd = end;
  }

  #acceptMore(end: number): void {
    const tooEarly = this.#sentEnd === 0 || this.#asked !== undefined || this.#wantedKeys > 0;
    if (tooEarly || this.#wantIsWhole || end < this.#sentEnd * FLIGHT_GROWTH) {
      throw unexpected({ kind: 'more', end });
    }
    if (end > MAX_SYMBOLS) throw overLimit(`more: ${end} symbols`);
    this.#asked = end;
  }

  #acceptWant(keys: Uint8Array, last: boolean): void {
    if (!this.#told || this.#wantIsWhole || (keys.length === 0 && !last)) {
      throw unexpected({ kind: 'want', keys, last });
    }
    this.#wantedKeys += keys.length / KEY_BYTES;
    if (this.#wantedKeys > Math.min(this.#summary.size, MAX_SYMBOLS)) {
      throw overLimit(`want: more keys than there are blocks here`);
    }
    this.#wanted.push(keys);
    this.#wantIsWhole = last;
  }

  // --- the reader ---

  async #read(): Promise<Finding | undefined> {
    let sketch = this.#sketch!;
    let salt: Uint8Array = NO_SALT;
    let decoder = new Decoder(salt);
    for (;;) {
      await this.#host.until(() => this.#symbols.length > 0 || this.#list.begun);
      if (this.#list.begun) return undefined;
      const { first, end, symbols, ...told } = this.#symbols.shift()!;
      const isAnew = compareBytes(told.salt, salt) !== 0 || (first === 0 && decoder.length > 0);
      if (isAnew) {
        salt = told.salt;
        decoder = new Decoder(salt);
      }
      if (isAnew || end > sketch.end) {
        sketch = await this.#build(first, end, salt, this.#summary.size);
      }
      const reading = decoder.push(symbols, sketch);
      if (reading === 'contradictory') return undefined;
      if (reading === 'complete') return this.#settle(decoder);
      if (decoder.length < end) continue;
      const next = Math.ceil(end * FLIGHT_GROWTH);
      if (this.#listsAreSmaller(next)) return undefined;
      this.#flight = { from: end, next: undefined, end: next };
      this.#host.send({ kind: 'more', end: next });
    }
  }

  /** One flight at a time: what is asked for, or at first what the teller thinks is enough. */
  #acceptSymbols(message: Extract<DiffMessage, { kind: 'symbols' }>): void {
    const { salt, first, end, size, cells } = message;
    const flight = this.#flight;
    if (flight === undefined) throw unexpected(message);
    const inPlace =
      flight.next === undefined ? first === 0 || first === flight.from : first === flight.next;
    if (!inPlace || end !== (flight.end ?? end)) throw unexpected(message);
    if (end > MAX_SYMBOLS) throw overLimit(`symbols: ${end} of them`);
    const symbols = decodeSymbols(cells, first, size);
    const next = first + symbols.counts.length;
    if (next === first || next > end) throw unexpected(message);
    this.#flight = next === end ? undefined : { from: first, next, end };
    this.#symbols.push({ salt, first, end, symbols });
  }

  /** Nothing is settled when what was read does not fit what is here. */
  async #settle(decoder: Decoder): Promise<Finding | undefined> {
    const { ours, theirs } = decoder;
    const cids = await this.#find(ours);
    if (cids.length * KEY_BYTES !== ours.length) return undefined;
    const room = this.#host.frameBytes - FRAME_OVERHEAD_BYTES;
    const perFrame = room - (room % KEY_BYTES);
    const wanted = this.#ours.takes ? theirs : NO_KEYS;
    for (const { bytes, last } of byteParts(wanted, perFrame)) {
      await this.#host.ready();
      this.#host.send({ kind: 'want', keys: bytes, last });
    }
    return this.#finding(cids, false);
  }

  #finding(cids: readonly CID[], doubtful: boolean): Finding {
    return { kind: 'read', cids, doubtful, ours: this.#summary.size, theirs: this.#theirSize };
  }

  /** The blocks of these keys among those summarized. */
  async #find(keys: Uint8Array): Promise<readonly CID[]> {
    const { replica } = this.#host;
    if (keys.length === 0) return [];
    if (replica.find !== undefined) return replica.find(keys);
    const wanted = new CidSet();
    for (let at = 0; at < keys.length; at += KEY_BYTES) wanted.addKey(keys, at);
    const found: CID[] = [];
    for await (const slice of slices(replica.cids(), this.#summary.size)) {
      for (const cid of slice) if (wanted.has(cid)) found.push(cid);
    }
    return found;
  }
}

// --- helpers ---

/** How many flights of symbols that anybody can compute are sent before a salt is used. */
const UNSALTED_FLIGHTS = 2;

const NO_SALT = new Uint8Array(0);
const NO_KEYS = new Uint8Array(0);
const NOTHING_TOLD: Summary = { size: 0, counts: new Uint8Array(0) };

/** What a symbol takes, at most, in bytes. */
const MAX_SYMBOL_BYTES = 25;

/** The part of a flight that one message brought. */
interface Told {
  readonly salt: Uint8Array;
  readonly first: number;
  readonly end: number;
  readonly symbols: Symbols;
}

interface Flight {
  /** Where it may begin, if not at 0. */
  readonly from: number;
  /** What must come next, once it has begun. */
  readonly next: number | undefined;
  readonly end: number | undefined;
}
