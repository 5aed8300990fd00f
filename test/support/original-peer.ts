import { CarBufferReader } from '@ipld/car/buffer-reader';
import * as CarBufferWriter from '@ipld/car/buffer-writer';
import { decode, encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import SimplePeer from 'simple-peer';
import wrtc from 'wrtc';
import { type Block, blockOf, verifyBlock } from '../../src/blocks.ts';
import { Signal } from '../../src/protocol/queue.ts';

/** simple-peer alone, as the original uses it: no trickle, signals without a mark, stream mode. */
export class RawPeer {
  readonly #peer: SimplePeer.Instance;
  readonly #signal: Promise<string>;
  readonly connected: Promise<void>;
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;

  /** @param hear is called with each message; text comes as bytes, as stream mode has it */
  constructor(side: 'offering' | 'answering', hear: (message: Uint8Array) => void = () => {}) {
    const peer = new SimplePeer({
      initiator: side === 'offering',
      trickle: false,
      wrtc,
      config: { iceServers: [] },
    });
    this.#peer = peer;
    this.#signal = new Promise((resolve) => {
      peer.on('signal', (signal) => resolve(btoa(JSON.stringify(signal))));
    });
    this.connected = new Promise((resolve) => {
      peer.on('connect', () => resolve());
    });
    this.closed = new Promise((resolve) => {
      peer.on('close', () => resolve());
    });
    // `close` follows each error and is all that counts here.
    peer.on('error', () => {});
    peer.on('data', hear);
  }

  offer(): Promise<string> {
    return this.#signal;
  }

  accept(offer: string): Promise<string> {
    this.connect(offer);
    return this.#signal;
  }

  connect(signal: string): void {
    this.#peer.signal(JSON.parse(atob(signal)) as SimplePeer.SignalData);
  }

  send(message: Uint8Array | string): void {
    this.#peer.send(message);
  }

  async destroy(): Promise<void> {
    // simple-peer forgets this timer, which would hold the process for five seconds.
    clearTimeout(
      (this.#peer as unknown as { _iceCompleteTimer: NodeJS.Timeout })._iceCompleteTimer,
    );
    this.#peer.destroy();
    await this.closed;
  }
}

/** What an original peer made of one message. */
export type Heard =
  | { readonly kind: 'list'; readonly clock: readonly string[]; readonly cids: readonly string[] }
  | { readonly kind: 'ok' }
  | {
      readonly kind: 'car';
      readonly roots: readonly string[];
      readonly blocks: number;
      readonly bytes: number;
    };

/** The original's events; what stands in `data` is the business of its ledger. */
interface Event {
  readonly parents: readonly CID[];
  readonly data: unknown;
}

/**
 * The original's side of a sync, with blocks and a clock of its own. On connect it sends its list at
 * once; it answers a list with one CAR or `{"ok":true}`; each event that it writes travels as one CAR
 * with one root. What it cannot read fails the test: every later call rejects with that.
 */
export class OriginalPeer {
  readonly heard: Heard[] = [];
  readonly blocks: Map<string, Block> = new Map();
  readonly #clock = new Set<string>();
  readonly #peer: RawPeer;
  readonly #changed = new Signal();
  #failure: unknown;
  #ended = false;

  constructor(side: 'offering' | 'answering', blocks: readonly Block[] = []) {
    for (const block of blocks) this.#store([block], [block.cid]);
    this.#peer = new RawPeer(side, (message) => this.#onMessage(message));
    this.#peer.connected.then(
      () => {
        const list = { clock: this.clock, cids: [...this.blocks.keys()] };
        this.#peer.send(JSON.stringify(list));
      },
      (error: unknown) => this.#fail(error),
    );
    this.#peer.closed.then(
      () => {
        this.#ended = true;
        this.#changed.wake();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  get clock(): string[] {
    return [...this.#clock].sort();
  }

  get cars(): Extract<Heard, { kind: 'car' }>[] {
    return this.heard.filter((heard) => heard.kind === 'car');
  }

  offer(): Promise<string> {
    return this.#peer.offer();
  }

  accept(offer: string): Promise<string> {
    return this.#peer.accept(offer);
  }

  connect(answer: string): void {
    this.#peer.connect(answer);
  }

  /** The event that a root or head names, as this side decodes it. */
  event(cid: string): Event {
    const block = this.blocks.get(cid);
    if (block === undefined) throw new Error(`missing block: ${cid}`);
    const event = decode<Partial<Event>>(block.bytes);
    const { parents, data } = event;
    if (data === undefined || !Array.isArray(parents) || !parents.every((cid) => CID.asCID(cid))) {
      throw new Error(`${cid} is no event`);
    }
    return { parents, data };
  }

  /** Writes an event above its clock and sends it. */
  write(data: unknown): void {
    const event = blockOf(encode({ parents: this.clock.map((cid) => CID.parse(cid)), data }));
    this.#store([event], [event.cid]);
    this.#peer.send(carOf([event], [event.cid]));
  }

  /** Waits for what messages bring about. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) throw new Error('the connection is over');
      await this.#changed.wait();
    }
  }

  /** Resolves when the other side has ended the connection. */
  async closed(): Promise<void> {
    await this.#peer.closed;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async destroy(): Promise<void> {
    await this.#peer.destroy();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #onMessage(message: Uint8Array): void {
    try {
      this.#hear(message);
    } catch (error) {
      this.#fail(error);
    }
    this.#changed.wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#changed.wake();
  }

  /** The original tells JSON from a CAR by how it begins. */
  #hear(message: Uint8Array): void {
    if (message[0] !== 0x7b) {
      const car = CarBufferReader.fromBytes(message);
      const blocks = car.blocks();
      const roots = car.getRoots();
      this.#store(blocks, roots);
      this.heard.push({
        kind: 'car',
        roots: roots.map(String),
        blocks: blocks.length,
        bytes: message.length,
      });
      return;
    }
    const said = JSON.parse(new TextDecoder().decode(message)) as Record<string, unknown>;
    if (said['ok'] === true) {
      this.heard.push({ kind: 'ok' });
      return;
    }
    const clock = cidsIn(said['clock']);
    const cids = cidsIn(said['cids']);
    this.heard.push({ kind: 'list', clock, cids });
    this.#answer(new Set(cids));
  }

  /** A head may stand in the CAR twice, as in the original's. */
  #answer(theirs: ReadonlySet<string>): void {
    const lacking = [...this.blocks].filter(([cid]) => !theirs.has(cid)).map(([, block]) => block);
    if (lacking.length === 0) {
      this.#peer.send(JSON.stringify({ ok: true }));
      return;
    }
    const heads = this.clock.map((cid) => this.blocks.get(cid)!);
    const roots = heads.map(({ cid }) => cid);
    this.#peer.send(carOf([...lacking, ...heads], roots));
  }

  /** Stores the blocks, then advances the clock by the roots. */
  #store(blocks: readonly Block[], roots: readonly CID[]): void {
    for (const block of blocks) {
      verifyBlock(block);
      this.blocks.set(String(block.cid), block);
    }
    for (const root of roots) this.#advance(String(root));
  }

  /** The root becomes a head; heads below it are none any more. */
  #advance(root: string): void {
    const seen = new Set([root]);
    this.#clock.delete(root);
    for (const cid of seen) {
      if (this.#clock.size === 0) break;
      this.#clock.delete(cid);
      if (cid !== root && !this.blocks.has(cid)) continue;
      for (const parent of this.event(cid).parents) seen.add(String(parent));
    }
    this.#clock.add(root);
  }
}

function cidsIn(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error('a message without its lists');
  return value.map((item) => CID.parse(item as string).toString());
}

function carOf(blocks: readonly Block[], roots: readonly CID[]): Uint8Array {
  const header = CarBufferWriter.headerLength({ roots: [...roots] });
  const length = blocks.reduce((sum, block) => sum + CarBufferWriter.blockLength(block), header);
  const writer = CarBufferWriter.createWriter(new ArrayBuffer(length), { roots: [...roots] });
  for (const block of blocks) writer.write(block);
  return writer.close();
}
