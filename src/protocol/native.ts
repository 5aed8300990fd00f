import type { CID } from 'multiformats/cid';
import { BlockError, ConnectionError, ProtocolError } from '../errors.ts';
import type { Frame } from './channel.ts';
import type { Amount, Dialect, DialectHost } from './dialect.ts';
import { compareHellos, type Relation, sameHeads } from './diff/compare.ts';
import { ContextExchange, contextParts } from './diff/context-exchange.ts';
import { type Lacks, ListExchange, listParts } from './diff/list-exchange.ts';
import { packCids } from './diff/list.ts';
import { Inbox, type Milestone } from './inbox.ts';
import {
  ABORT_REASONS,
  decodeMessage,
  encodeMessage,
  type Hello,
  type HistoryKind,
  MAX_HELLO_HEADS,
  type Message,
  PROTOCOL_VERSION,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import { Signal } from './queue.ts';
import type { Replica, ReplicaHistory } from './replica.ts';

/** Listeners hear of progress at most this often. */
const PROGRESS_INTERVAL_MS = 50;
/** What a listed CID takes in a frame, at most, and what the frame holds beside them, in bytes. */
const LISTED_CID_BYTES = 48;
const LIST_OVERHEAD_BYTES = 160;

type CidSource = Iterable<CID> | AsyncIterable<CID>;

/** What the other side has still to send of the first sync. */
type TheirPart = 'undecided' | 'awaited' | 'streaming' | 'complete';

/**
 * Emberlink's own form of the conversation. Frames change the fields below at once, in the frame
 * callback; two loops do the long work: `#speak` sends, `Inbox.run` receives.
 *
 * 1. The replica is watched from before the hello on, so nothing falls between the first sync and
 *    what follows it.
 * 2. Each control message is bounded by construction: it may come once, or, like `stored` and `have`,
 *    only with news and within a limit. So answering at once needs no queue.
 * 3. CAR bytes and what must not overtake them (`done`, `bye`) go through the inbox, in order.
 */
export class NativeDialect implements Dialect {
  readonly #host: DialectHost;
  readonly #windowBytes: number;
  readonly #changed = new Signal();
  readonly #ours: Hello;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #list = new ListExchange();
  readonly #context = new ContextExchange();
  readonly #unwatch: () => void;
  #receiving: Promise<void> | undefined;

  #theirs: Hello | undefined;
  #relation: Relation | undefined;
  #ourVerdict: 'known' | 'unknown' | undefined;
  #theirVerdict: 'known' | 'unknown' | undefined;
  #ourPart: 'pending' | 'sent' | 'stored' = 'pending';
  #theirPart: TheirPart = 'undecided';
  #doneSaid = false;
  #theirBye: 'none' | 'said' | 'reached' = 'none';
  #live = false;
  #stopped = false;

  readonly #sent = { blocks: 0, bytes: 0 };
  readonly #received = { blocks: 0, bytes: 0 };
  #toSend = { blocks: 0, bytes: 0 };
  #toReceive = { blocks: 0, bytes: 0 };
  #progressToldAt = -Infinity;

  constructor(host: DialectHost, windowBytes: number) {
    const { replica, origin } = host;
    this.#host = host;
    this.#windowBytes = windowBytes;
    this.#unwatch = replica.watch((cids, from) => this.#onStored(cids, from));
    this.#ours = this.#hello();
    this.#outbox = new Outbox(host, this.#ours.heads, (bytes) => this.#onSent(bytes));
    this.#inbox = new Inbox(replica, origin, windowBytes, {
      stored: (blocks, bytes) => this.#onReceived(blocks, bytes),
      acknowledge: (bytes) => this.#send({ kind: 'stored', bytes }),
      reached: (milestone) => this.#onReached(milestone),
    });
  }

  start(): void {
    this.#send(this.#ours);
    this.#receiving = this.#inbox.run().catch((error: unknown) => this.#host.fail(error));
    this.#speak().catch((error: unknown) => {
      if (!this.#outbox.stopped) this.#host.fail(error);
    });
  }

  frame(frame: Frame): void {
    if (typeof frame === 'string') {
      throw new ProtocolError('malformed-frame', 'a text frame');
    }
    if (frame.length > this.#host.channel.maxFrameBytes) {
      throw new ProtocolError('frame-too-large', `a frame of ${frame.length} bytes`);
    }
    this.#accept(decodeMessage(frame));
    this.#changed.wake();
  }

  whenStored(callback: () => void): void {
    this.#outbox.whenStored(callback);
  }

  async finish(): Promise<void> {
    this.#unwatch();
    // A peer that leaves does not wait for the rest of a first sync; it will ask for it next time.
    const cutShort = this.#theirBye !== 'none' && this.#ourPart === 'pending';
    if (cutShort) this.#outbox.stop();
    else await new Promise<void>((resolve) => this.#outbox.whenStored(resolve));
    if (this.#stopped) return;
    this.#send({ kind: 'bye' });
    await this.#until(() => this.#theirBye === 'reached');
  }

  async settle(): Promise<boolean> {
    this.#outbox.stop();
    this.#inbox.end();
    await this.#receiving;
    return this.#theirBye === 'reached' || (this.#live && this.#outbox.idle && this.#inbox.idle);
  }

  abort(error: Error): void {
    const code = error instanceof ProtocolError ? error.code : undefined;
    const reason = ABORT_REASONS.find((known) => known === code);
    if (reason !== undefined) this.#send({ kind: 'abort', reason, text: error.message });
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#outbox.stop();
    this.#inbox.stop();
    this.#changed.wake();
  }

  // --- what the other side says ---

  #accept(message: Message): void {
    if (message.kind === 'abort') {
      throw new ProtocolError(
        'aborted-by-peer',
        `the other side ended the session: ${message.reason}: ${message.text}`,
      );
    }
    if ((message.kind === 'hello') !== (this.#theirs === undefined)) throw unexpected(message);
    if (this.#theirBye !== 'none' && message.kind !== 'stored') throw unexpected(message);
    switch (message.kind) {
      case 'hello':
        return this.#onHello(message);
      case 'known':
      case 'unknown':
        if (this.#relation !== 'different' || this.#theirVerdict !== undefined) {
          throw unexpected(message);
        }
        this.#theirVerdict = message.kind;
        return this.#evaluate();
      case 'have':
        if (!this.#listsFlow() || this.#byContext) throw unexpected(message);
        return this.#list.accept(message.list, message.last);
      case 'context':
        if (!this.#listsFlow() || !this.#byContext) throw unexpected(message);
        return this.#context.accept(message.bytes, message.last);
      case 'expect':
        if (this.#theirPart !== 'awaited') throw unexpected(message);
        this.#theirPart = 'streaming';
        this.#toReceive = { blocks: message.blocks, bytes: message.bytes };
        return this.#tellProgress();
      case 'car':
        return this.#inbox.accept(message.bytes);
      case 'done':
        if (this.#theirPart !== 'streaming' || this.#doneSaid) throw unexpected(message);
        this.#doneSaid = true;
        return this.#inbox.mark('done');
      case 'stored':
        return this.#outbox.stored(message.bytes);
      case 'bye':
        this.#theirBye = 'said';
        return this.#inbox.mark('bye');
    }
  }

  #onHello(theirs: Hello): void {
    const { replicaId } = this.#ours;
    if (replicaId.length > 0 && String(replicaId) === String(theirs.replicaId)) {
      throw new ProtocolError('connected-to-self', 'the other side is the same replica');
    }
    this.#theirs = theirs;
    const relation = compareHellos(this.#ours, theirs);
    this.#relation = relation;
    this.#outbox.open({
      windowBytes: theirs.windowBytes,
      maxFrameBytes: this.#frameBytes,
    });
    if (relation === 'in-sync' || relation === 'we-are-empty') this.#ourPart = 'stored';
    if (relation === 'in-sync' || relation === 'they-are-empty') this.#theirPart = 'complete';
    if (relation === 'we-are-empty') this.#theirPart = 'awaited';
    this.#host.setState({ kind: 'comparing' });
    this.#evaluate();
  }

  #onReached(milestone: Milestone): void {
    if (milestone === 'done') {
      this.#theirPart = 'complete';
      this.#evaluate();
    } else {
      this.#theirBye = 'reached';
      this.#changed.wake();
      this.#host.peerLeaves();
    }
  }

  /** True once both sides have said `unknown`. */
  #listsFlow(): boolean {
    return this.#ourVerdict === 'unknown' && this.#theirVerdict === 'unknown';
  }

  /** Looks at all that is known by now and takes the steps that follow from it. */
  #evaluate(): void {
    if (this.#theirPart === 'undecided') {
      // Who said `known` streams what we lack, or nothing; with two `unknown` both stream.
      if (this.#theirVerdict === 'known' || this.#listsFlow()) this.#theirPart = 'awaited';
      else if (this.#ourVerdict === 'known' && this.#theirVerdict === 'unknown') {
        this.#theirPart = 'complete';
      }
    }
    if (this.#live || this.#ourPart !== 'stored' || this.#theirPart !== 'complete') return;
    this.#live = true;
    this.#host.setState({ kind: 'live' });
  }

  // --- what this side says ---

  async #speak(): Promise<void> {
    await this.#until(() => this.#theirs !== undefined);
    if (this.#ourPart === 'pending') await this.#sendFirstPart(this.#theirs!);
    await this.#outbox.live();
  }

  async #sendFirstPart(theirs: Hello): Promise<void> {
    const { replica } = this.#host;
    if (this.#relation === 'they-are-empty') {
      if (this.#sendsSnapshot(theirs)) return this.#streamSnapshot();
      this.#outbox.forgetQueue();
      await this.#stream(heldNow(replica)(), { blocks: replica.blockCount, bytes: 0 });
      return;
    }
    const since = await this.#blocksSince(theirs);
    this.#ourVerdict = since === undefined ? 'unknown' : 'known';
    this.#send({ kind: this.#ourVerdict });
    this.#evaluate();
    if (since !== undefined) {
      await this.#stream(since.cids, since.amount);
      return;
    }
    await this.#until(() => this.#theirVerdict !== undefined);
    if (this.#theirVerdict === 'known') {
      this.#ourPart = 'stored';
      this.#evaluate();
      return;
    }
    this.#evaluate();
    if (this.#byContext) return this.#sendBeyondTheirContext();
    const lacks = await this.#exchangeLists();
    // Since we said hello another session has brought a snapshot, which no list tells of.
    if (replica.history?.isPruned === true && theirs.history !== 'blocks') {
      return this.#streamSnapshot();
    }
    this.#outbox.forgetQueue();
    const held = heldNow(replica);
    await this.#stream(lacking(held(), lacks), await this.#measure(lacking(held(), lacks)));
  }

  /**
   * What they lack, when we hold everything below their heads and they hold nothing else. Whether
   * they do shows in the counts: a block that no commit links to is below no head.
   */
  async #blocksSince(theirs: Hello): Promise<{ cids: CidSource; amount: Amount } | undefined> {
    const { replica } = this.#host;
    if (replica.blocksSince === undefined || theirs.headsTruncated) return undefined;
    if (sameHeads(this.#ours, theirs)) return undefined;
    const counted = await replica.blocksSince(theirs.heads);
    if (counted === undefined) return undefined;
    const amount = await this.#measure(counted);
    const count = replica.history?.commitCount ?? replica.blockCount;
    if (amount.blocks + theirs.blockCount !== count) return undefined;
    this.#outbox.forgetQueue();
    const cids = await replica.blocksSince(theirs.heads);
    return cids && { cids, amount };
  }

  /** True when a side that holds nothing is better off with our snapshot. */
  #sendsSnapshot(theirs: Hello): boolean {
    const { history } = this.#host.replica;
    if (history === undefined || theirs.history === 'blocks') return false;
    return history.isPruned || (!wantsAll(theirs.history) && history.snapshotPays);
  }

  /** True when one side cannot list what it has merged, and both can tell it by their contexts. */
  get #byContext(): boolean {
    const kinds = [this.#ours.history, this.#theirs!.history];
    return !kinds.includes('blocks') && kinds.some(isPruned);
  }

  async #sendBeyondTheirContext(): Promise<void> {
    const history = this.#host.replica.history!;
    for (const part of contextParts(history.context(), this.#frameBytes - LIST_OVERHEAD_BYTES)) {
      this.#send({ kind: 'context', ...part });
    }
    await this.#until(() => this.#context.complete);
    // What comes from here on stands in the queue again.
    this.#outbox.forgetQueue();
    const cids = await this.#blocksBeyond(history, this.#context.bytes);
    if (cids === undefined) return this.#streamSnapshot();
    await this.#stream(cids, await this.#measure(cids));
  }

  async #blocksBeyond(
    history: ReplicaHistory,
    context: Uint8Array,
  ): Promise<Iterable<CID> | undefined> {
    try {
      return await history.blocksBeyond(context);
    } catch (cause) {
      if (!(cause instanceof BlockError)) throw cause;
      throw new ProtocolError('malformed-frame', 'these are not the bytes of a context', { cause });
    }
  }

  async #streamSnapshot(): Promise<void> {
    this.#send({ kind: 'expect', blocks: 0, bytes: 0 });
    await this.#outbox.sendSnapshot();
    this.#finishPart();
  }

  async #exchangeLists(): Promise<Lacks> {
    const { channel, replica } = this.#host;
    const perPart = listedCids(this.#frameBytes);
    for await (const list of listParts(heldNow(replica)(), perPart)) {
      if (channel.congested) await channel.drained();
      if (this.#stopped) break;
      this.#send({ kind: 'have', list, last: false });
    }
    this.#send({ kind: 'have', list: packCids([]), last: true });
    await this.#until(() => this.#list.complete);
    return this.#list.lacks;
  }

  async #stream(cids: CidSource, amount: Amount): Promise<void> {
    this.#toSend = amount;
    this.#send({ kind: 'expect', ...amount });
    this.#tellProgress();
    await this.#outbox.send(cids);
    this.#finishPart();
  }

  #finishPart(): void {
    this.#send({ kind: 'done' });
    this.#ourPart = 'sent';
    this.#outbox.whenSentIsStored(() => {
      this.#ourPart = 'stored';
      this.#evaluate();
    });
  }

  async #measure(cids: CidSource): Promise<Amount> {
    const { replica } = this.#host;
    let blocks = 0;
    let bytes = 0;
    for await (const cid of cids) {
      blocks++;
      bytes += replica.blockSize?.(cid) ?? 0;
    }
    return { blocks, bytes };
  }

  #hello(): Hello {
    const { channel, replica } = this.#host;
    const heads = replica.clock.slice(
      0,
      Math.min(MAX_HELLO_HEADS, listedCids(channel.maxFrameBytes)),
    );
    return {
      kind: 'hello',
      version: PROTOCOL_VERSION,
      heads,
      headsTruncated: heads.length < replica.clock.length,
      blockCount: replica.history?.commitCount ?? replica.blockCount,
      windowBytes: this.#windowBytes,
      maxFrameBytes: channel.maxFrameBytes,
      replicaId: replica.id ?? new Uint8Array(),
      history: historyKind(replica),
    };
  }

  /** The largest frame that both sides take. */
  get #frameBytes(): number {
    const { maxFrameBytes } = this.#host.channel;
    return Math.min(maxFrameBytes, this.#theirs?.maxFrameBytes ?? maxFrameBytes);
  }

  /** After the end there is nobody to say anything to. */
  #send(message: Message): void {
    if (!this.#stopped) this.#host.send(encodeMessage(message));
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#stopped) throw new ConnectionError('closed', 'the session has ended');
      await this.#changed.wait();
    }
  }

  // --- what happens to the replica ---

  /** Runs inside the replica's own write, which a session that fails must not disturb. */
  #onStored(cids: readonly CID[], origin: object | undefined): void {
    if (origin === this.#host.origin) return;
    try {
      this.#outbox.push(cids);
    } catch (error) {
      this.#host.fail(error);
    }
  }

  #onSent(bytes: number): void {
    this.#sent.blocks++;
    this.#sent.bytes += bytes;
    this.#tellProgress(PROGRESS_INTERVAL_MS);
  }

  #onReceived(blocks: number, bytes: number): void {
    this.#received.blocks += blocks;
    this.#received.bytes += bytes;
    this.#tellProgress(PROGRESS_INTERVAL_MS);
  }

  #tellProgress(afterMs = 0): void {
    const now = performance.now();
    if (this.#live || now - this.#progressToldAt < afterMs) return;
    this.#progressToldAt = now;
    this.#host.setState({
      kind: 'syncing',
      progress: {
        sent: { ...this.#sent },
        toSend: this.#toSend,
        received: { ...this.#received },
        toReceive: this.#toReceive,
      },
    });
  }
}

// --- helpers ---

function historyKind({ history }: Replica): HistoryKind {
  if (history === undefined) return 'blocks';
  if (history.isPruned) return history.isFull ? 'full-pruned' : 'recent-pruned';
  return history.isFull ? 'full' : 'recent';
}

function isPruned(kind: HistoryKind): boolean {
  return kind === 'recent-pruned' || kind === 'full-pruned';
}

function wantsAll(kind: HistoryKind): boolean {
  return kind === 'full' || kind === 'full-pruned';
}

/** The blocks held now, as often as asked for: later ones come behind them in the replica's order. */
function heldNow(replica: Replica): () => CidSource {
  const count = replica.blockCount;
  return () => {
    const cids = replica.cids();
    return Symbol.iterator in cids ? first(cids, count) : firstLater(cids, count);
  };
}

function* first(cids: Iterable<CID>, count: number): Iterable<CID> {
  let left = count;
  if (left === 0) return;
  for (const cid of cids) {
    yield cid;
    if (--left === 0) return;
  }
}

async function* firstLater(cids: AsyncIterable<CID>, count: number): AsyncIterable<CID> {
  let left = count;
  if (left === 0) return;
  for await (const cid of cids) {
    yield cid;
    if (--left === 0) return;
  }
}

async function* lacking(cids: CidSource, lacks: Lacks): AsyncIterable<CID> {
  for await (const cid of cids) if (lacks(cid)) yield cid;
}

/** How many CIDs fit into one frame of a list or a hello. */
function listedCids(frameBytes: number): number {
  return Math.floor((frameBytes - LIST_OVERHEAD_BYTES) / LISTED_CID_BYTES);
}

function unexpected(message: Message): ProtocolError {
  return new ProtocolError('unexpected-message', `${message.kind} must not come at this point`);
}
