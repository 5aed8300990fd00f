import { CID } from 'multiformats/cid';
import { type Block, verifyBlock } from '../blocks.ts';
import { CarReader } from '../car/reader.ts';
import { carFrames, carHeader, carPrefixLength } from '../car/writer.ts';
import { BlockError, ProtocolError, StorageError } from '../errors.ts';
import type { Frame } from './channel.ts';
import type { Dialect, DialectHost } from './dialect.ts';
import { CidSet } from './diff/list.ts';
import { takesNothing } from './messages.ts';
import { MAX_QUEUED_BLOCKS, tooManyWait } from './outbox.ts';
import { Queue, Signal } from './queue.ts';
import { MAX_TRACED_CIDS } from './trace.ts';
import { malformed, outOfTurn, sessionEnded } from './violations.ts';

/*
 * The original wire form: JSON lists and whole CARs, one a frame, nothing acknowledged.
 *
 * On connect each side sends `{"clock":[…],"cids":[…]}` and answers the other's list with one CAR of
 * the blocks that it lacks, or with `{"ok":true}`. Later each commit travels as a CAR with one root.
 * What does not fit into one frame goes as such CARs from the beginning, one per commit, parents
 * first: the other side's clock then advances as it would have live.
 */

/** The largest frame of this form: what a WebRTC data channel takes. */
export const ORIGINAL_FRAME_BYTES = 262_144;

/** This form has no credit, so what may wait here to be stored is bounded: 16 MiB. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

const OPENING_BRACE = 0x7b;

/** True for the first frame of a peer that speaks the original form. */
export function looksOriginal(frame: Frame): boolean {
  return typeof frame === 'string' ? frame.startsWith('{') : frame[0] === OPENING_BRACE;
}

interface Mark {
  readonly callback: () => void;
}

export class OriginalDialect implements Dialect {
  readonly #host: DialectHost;
  readonly #maxFrameBytes: number;
  readonly #takes: boolean;
  readonly #changed = new Signal();
  readonly #unwatch: () => void;
  /** Blocks stored since the answer, and marks between them. */
  readonly #outgoing = new Queue<CID | Mark>();
  readonly #incoming = new Queue<Uint8Array>();
  #waitingBytes = 0;
  #receiving: Promise<void> | undefined;
  #theirs: CidSet | 'answered' | undefined;
  /** What has come in answer to our list. */
  #answer: 'none' | 'car' | 'ok' = 'none';
  #live = false;
  #ending = false;
  #stopped = false;
  /** Blocks that are no commits and wait for the commit that they belong to. */
  #pending: Block[] = [];

  constructor(host: DialectHost, maxFrameBytes: number, takes: boolean) {
    this.#host = host;
    this.#takes = takes;
    this.#maxFrameBytes = Math.min(maxFrameBytes, host.channel.maxFrameBytes);
    this.#unwatch = host.replica.watch((cids, origin) => this.#onStored(cids, origin));
  }

  start(): void {
    this.#host.setState({ kind: 'comparing' });
    this.#speak().catch((error: unknown) => {
      if (!this.#stopped && !this.#ending) this.#host.fail(error);
    });
    this.#receiving = this.#receive().catch((error: unknown) => this.#host.fail(error));
  }

  frame(frame: Frame): void {
    if (looksOriginal(frame)) {
      this.#onJson(typeof frame === 'string' ? frame : decodeText(frame), frame);
    } else if (typeof frame === 'string') {
      throw malformed('a text frame that is not JSON');
    } else {
      this.#host.trace.message('in', 'car', frame);
      this.#waitingBytes += frame.length;
      if (this.#waitingBytes > MAX_WAITING_BYTES) {
        throw new ProtocolError('window-exceeded', `${this.#waitingBytes} bytes wait to be stored`);
      }
      this.#incoming.push(frame);
    }
    this.#changed.wake();
  }

  /** Nothing is acknowledged in this form: calls back when the channel has taken all. */
  whenStored(callback: () => void): void {
    this.#outgoing.push({ callback });
    this.#changed.wake();
  }

  async finish(): Promise<void> {
    this.#unwatch();
    await new Promise<void>((resolve) => this.whenStored(resolve));
  }

  async settle(): Promise<boolean> {
    this.#ending = true;
    this.#changed.wake();
    await this.#receiving;
    return this.#live && this.#outgoing.length === 0;
  }

  /** This form has no words for it: the closed channel says all. */
  abort(): void {}

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#changed.wake();
  }

  // --- what the other side says ---

  #onJson(text: string, frame: Frame): void {
    const message = parseJson(text);
    this.#host.trace.message('in', message.ok === true ? 'ok' : 'list', frame);
    if (message.ok === true) {
      if (this.#answer === 'ok') throw outOfTurn('a second answer to one list');
      this.#answer = 'ok';
      this.#evaluate();
      return;
    }
    if (this.#theirs !== undefined) throw outOfTurn('a second list');
    for (const head of listOf(message.clock)) parseCid(head);
    const theirs = new CidSet();
    for (const cid of listOf(message.cids)) theirs.add(parseCid(cid));
    this.#theirs = theirs;
  }

  async #receive(): Promise<void> {
    while (!this.#stopped) {
      const frame = this.#incoming.shift();
      if (frame !== undefined) {
        await this.#storeCar(frame);
        this.#waitingBytes -= frame.length;
        if (this.#answer === 'none') this.#answer = 'car';
        this.#evaluate();
      } else if (this.#ending) {
        return;
      } else {
        await this.#changed.wait();
      }
    }
  }

  /** The roots come last, so that a replica that looks for their links finds them. */
  async #storeCar(bytes: Uint8Array): Promise<void> {
    const { replica, origin } = this.#host;
    const { roots, blocks } = readCar(bytes);
    const rootKeys = new Set(roots.map(String));
    const rootBlocks = new Map<string, Block>();
    const others: Block[] = [];
    for (const block of blocks) {
      const key = String(block.cid);
      if (!rootKeys.has(key)) others.push(block);
      else if (replica.parentsOf(block) === undefined) {
        throw new BlockError('malformed-commit', `CAR: its root ${key} is no commit`);
      } else rootBlocks.set(key, block);
    }
    for (const root of roots) {
      if (!rootBlocks.has(String(root)) && !(await replica.has(root))) {
        throw new BlockError(
          'malformed-car',
          `CAR: its root ${root.toString()} is neither in it nor here`,
        );
      }
    }
    if (this.#takes) {
      await replica.receive([...others, ...rootBlocks.values()], origin);
      this.#traceBlocks('in', blocks);
      return;
    }
    // A peer of this form cannot be told: it sends heads that are here already, too.
    for (const { cid } of blocks) if (!(await replica.has(cid))) throw takesNothing();
  }

  #evaluate(): void {
    if (this.#live || this.#theirs !== 'answered' || this.#answer === 'none') return;
    this.#live = true;
    this.#host.setState({ kind: 'live' });
    this.#changed.wake();
  }

  // --- what this side says ---

  async #speak(): Promise<void> {
    this.#send(await this.#list(), 'list');
    const theirs = await this.#theirList();
    if (this.#host.trace.isHeard) await this.#traceDifference(theirs);
    await this.#answerTo(theirs);
    this.#theirs = 'answered';
    this.#evaluate();
    for (;;) {
      const item = this.#outgoing.shift();
      if (item === undefined) {
        await this.#wait();
      } else if (isMark(item)) {
        while (!this.#live) await this.#wait();
        await this.#room();
        item.callback();
      } else {
        await this.#sendUpdate(await this.#load(item));
      }
    }
  }

  async #theirList(): Promise<CidSet> {
    for (;;) {
      if (this.#theirs instanceof CidSet) return this.#theirs;
      await this.#wait();
    }
  }

  /** Our list, of the newest CIDs where not all fit: the answer is then merely larger than needed. */
  async #list(): Promise<string> {
    const { replica } = this.#host;
    const clock: string[] = [];
    let room = this.#maxFrameBytes - '{"clock":[],"cids":[]}'.length;
    for (const head of replica.clock) {
      const cid = head.toString();
      if (room < (this.#maxFrameBytes + cid.length) / 2) break;
      clock.push(cid);
      room -= cid.length + 3;
    }
    const newest: string[] = [];
    let first = 0;
    for await (const cid of replica.cids()) {
      const text = cid.toString();
      newest.push(text);
      room -= text.length + 3;
      while (room < 0) room += newest[first++]!.length + 3;
      if (first > 10_000) {
        newest.splice(0, first);
        first = 0;
      }
    }
    return JSON.stringify({ clock, cids: newest.slice(first) });
  }

  async #answerTo(theirs: CidSet): Promise<void> {
    const { replica } = this.#host;
    for (const item of this.#outgoing.takeAll()) if (isMark(item)) this.#outgoing.push(item);
    const roots = replica.clock;
    const count = replica.blockCount;
    const heads = new Set(roots.map(String));
    let seen = 0;
    let whole: { blocks: Block[]; header: Uint8Array; bytes: number } | undefined;
    const header = headerOf(roots, this.#maxFrameBytes);
    if (header !== undefined) whole = { blocks: [], header, bytes: header.length };
    let lacking = false;
    for await (const cid of replica.cids()) {
      if (seen++ === count) break;
      const isNews = !theirs.has(cid);
      lacking ||= isNews;
      if (!isNews && !(whole !== undefined && heads.has(String(cid)))) continue;
      const block = await this.#load(cid);
      if (whole === undefined) {
        await this.#sendUpdate(block);
        continue;
      }
      whole.blocks.push(block);
      whole.bytes += carPrefixLength(block) + block.bytes.length;
      if (whole.bytes <= this.#maxFrameBytes) continue;
      const { blocks } = whole;
      whole = undefined;
      for (const each of blocks) if (!theirs.has(each.cid)) await this.#sendUpdate(each);
    }
    if (!lacking) return this.#send(JSON.stringify({ ok: true }), 'ok');
    if (whole !== undefined) return this.#sendBlocks(whole.header, whole.blocks);
    await this.#sendRest(roots);
  }

  /** Sends a commit with the blocks before it; any other block waits for its commit. */
  async #sendUpdate(block: Block): Promise<void> {
    const isCommit = this.#host.replica.parentsOf(block) !== undefined;
    if (isCommit) await this.#sendCars(block, this.#takePending());
    else this.#pending.push(block);
  }

  /** Blocks that no commit follows travel with a head. */
  async #sendRest(heads: readonly CID[]): Promise<void> {
    const [head] = heads;
    if (this.#pending.length === 0 || head === undefined) return;
    await this.#sendCars(await this.#load(head), this.#takePending());
  }

  #takePending(): Block[] {
    const pending = this.#pending;
    this.#pending = [];
    return pending;
  }

  /** One CAR with one root, or several with the same where one frame does not hold all. */
  async #sendCars(root: Block, others: readonly Block[]): Promise<void> {
    const header = carHeader([root.cid]);
    const empty = header.length + carBytes(root);
    let part: Block[] = [];
    let length = empty;
    for (const block of others) {
      if (part.length > 0 && length + carBytes(block) > this.#maxFrameBytes) {
        await this.#sendCar(header, [...part, root], length);
        part = [];
        length = empty;
      }
      part.push(block);
      length += carBytes(block);
    }
    await this.#sendCar(header, [...part, root], length);
  }

  async #sendCar(header: Uint8Array, blocks: readonly Block[], length: number): Promise<void> {
    if (length > this.#maxFrameBytes) {
      throw new ProtocolError(
        'frame-too-large',
        `block ${blocks[0]!.cid.toString()} does not fit into a frame of ${this.#maxFrameBytes} bytes, ` +
          'and the original form cannot cut it',
      );
    }
    await this.#room();
    this.#sendBlocks(header, blocks);
  }

  #sendBlocks(header: Uint8Array, blocks: readonly Block[]): void {
    this.#send(carFrames(blocks, header), 'car');
    this.#traceBlocks('out', blocks);
  }

  #traceBlocks(direction: 'in' | 'out', blocks: readonly Block[]): void {
    const { trace } = this.#host;
    if (!trace.isHeard) return;
    const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0);
    trace.tell({ kind: 'blocks', direction, cids: blocks.map(({ cid }) => cid), bytes });
  }

  /** What is lacked here the other side finds out. */
  async #traceDifference(theirs: CidSet): Promise<void> {
    const { replica, trace } = this.#host;
    const lacked: CID[] = [];
    for await (const cid of replica.cids()) if (!theirs.has(cid)) lacked.push(cid);
    trace.tell({
      kind: 'difference',
      how: 'list',
      lackedHere: { count: undefined, cids: [] },
      lackedThere: { count: lacked.length, cids: lacked.slice(0, MAX_TRACED_CIDS) },
    });
  }

  async #load(cid: CID): Promise<Block> {
    const bytes = await this.#host.replica.getBlock(cid);
    if (bytes === undefined)
      throw new StorageError('missing-block', `missing block: ${cid.toString()}`);
    return { cid, bytes };
  }

  async #room(): Promise<void> {
    const { channel } = this.#host;
    if (channel.congested) await channel.drained();
    if (this.#stopped || this.#ending) throw sessionEnded();
  }

  #send(frame: Frame, type: string): void {
    if (!this.#stopped) this.#host.send(frame, type);
  }

  async #wait(): Promise<void> {
    await this.#changed.wait();
    if (this.#stopped || this.#ending) throw sessionEnded();
  }

  /** Runs inside the replica's own write, which a session that fails must not disturb. */
  #onStored(cids: readonly CID[], origin: object | undefined): void {
    if (origin === this.#host.origin) return;
    for (const cid of cids) this.#outgoing.push(cid);
    if (this.#outgoing.length > MAX_QUEUED_BLOCKS) {
      this.#host.fail(tooManyWait());
    }
    this.#changed.wake();
  }
}

// --- helpers ---

function isMark(item: CID | Mark): item is Mark {
  return 'callback' in item;
}

function carBytes(block: Block): number {
  return carPrefixLength(block) + block.bytes.length;
}

/** The header of the one CAR that answers a list; undefined when that cannot fit. */
function headerOf(roots: readonly CID[], maxBytes: number): Uint8Array | undefined {
  // A root takes 41 bytes in a header; a header beyond the reader's limit is never built.
  if (roots.length * 48 > Math.min(maxBytes, 60_000)) return undefined;
  return carHeader(roots);
}

/** @throws BlockError, also for a CAR without roots or without blocks, which would tell nothing */
function readCar(bytes: Uint8Array): { roots: readonly CID[]; blocks: Block[] } {
  const reader = new CarReader();
  const blocks = reader.push(bytes);
  reader.end();
  const roots = reader.roots ?? [];
  if (roots.length === 0 || blocks.length === 0) {
    throw new BlockError('malformed-car', 'CAR: without roots or without blocks');
  }
  for (const block of blocks) verifyBlock(block);
  return { roots, blocks: blocks.map(({ cid, bytes: data }) => ({ cid, bytes: data })) };
}

interface OriginalMessage {
  readonly ok?: unknown;
  readonly clock?: unknown;
  readonly cids?: unknown;
}

function parseJson(text: string): OriginalMessage {
  try {
    return JSON.parse(text) as OriginalMessage;
  } catch (cause) {
    throw malformed('a frame that begins like JSON is none', cause);
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed('a frame that begins like JSON is no UTF-8', cause);
  }
}

function listOf(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw malformed('a JSON frame is neither a list of CIDs nor ok');
  }
  return value;
}

function parseCid(text: string): CID {
  try {
    return CID.parse(text);
  } catch (cause) {
    throw malformed('a list holds something that is no CID', cause);
  }
}
