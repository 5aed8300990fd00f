import type { CID } from 'multiformats/cid';
import type { Block } from '../blocks.ts';
import { compareBytes } from '../bytes.ts';
import { BlockError, ProtocolError } from '../errors.ts';
import type { Frame } from './channel.ts';
import type { Amount, Dialect, DialectHost } from './dialect.ts';
import { compareHellos, type Relation, sameHeads } from './diff/compare.ts';
import { canDeflate } from './deflate.ts';
import { ContextExchange } from './diff/context-exchange.ts';
import { type DiffHost, Difference, type Summary } from './diff/difference.ts';
import { type Lacks, listedCids, ListExchange, listParts } from './diff/list-exchange.ts';
import { CidSet } from './diff/list.ts';
import { Announced } from './announced.ts';
import { Announcer, type SayKeys } from './announcer.ts';
import { keyBytes, keyTexts } from './held-blocks.ts';
import { Incoming, type IncomingPart } from './incoming.ts';
import { Inbox, type Milestone } from './inbox.ts';
import {
  ABORT_REASONS,
  byteParts,
  decodeMessage,
  encodeMessage,
  FRAME_OVERHEAD_BYTES,
  type Hello,
  type HistoryKind,
  MAX_HELLO_HEADS,
  type Message,
  PROTOCOL_VERSION,
  takesNothing,
  unexpected,
} from './messages.ts';
import { type Compression, MAX_QUEUED_BLOCKS, Outbox, tooManyWait } from './outbox.ts';
import { Signal } from './queue.ts';
import { Relay } from './relay.ts';
import type { Replica, ReplicaHistory } from './replica.ts';
import { KEY_BYTES } from '../sketch.ts';
import { type CidSource, slices } from './slices.ts';
import { MAX_TRACED_CIDS, type TraceFact } from './trace.ts';
import { malformed, sessionEnded } from './violations.ts';

/** Blocks from others are announced after so long, or twice that: by one of the two sides first. */
const ANNOUNCE_MS = 20;

/** Listeners hear of progress at most this often. */
const PROGRESS_INTERVAL_MS = 50;

/**
 * The parts of the first sync that the other side has to stream: how many there will be, as soon as
 * that is known, how many it began and ended, and how many of these are stored. There is a second one
 * when lists must decide after all.
 */
interface TheirParts {
  due: number | undefined;
  begun: number;
  ended: number;
  stored: number;
}

export interface NativeOptions {
  /** Bytes of CAR taken beyond those stored. */
  readonly windowBytes: number;
  readonly compression: Compression;
  /** False: nothing of the other side is stored. */
  readonly takes: boolean;
}

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
  readonly #options: NativeOptions;
  readonly #changed = new Signal();
  readonly #ours: Hello;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #context = new ContextExchange();
  readonly #ourPages: readonly CID[];
  readonly #theirPages = new ListExchange('pages');
  readonly #incoming: Incoming;
  readonly #relay: Relay;
  #announcer: Announcer | undefined;
  #announced: Announced | undefined;
  readonly #part: IncomingPart;
  readonly #unwatch: () => void;
  #receiving: Promise<void> | undefined;

  #theirs: Hello | undefined;
  #relation: Relation | undefined;
  #difference: Difference | undefined;
  #ourVerdict: 'known' | 'unknown' | undefined;
  #theirVerdict: 'known' | 'unknown' | undefined;
  #ourPart: 'pending' | 'sent' | 'stored' = 'pending';
  readonly #theirParts: TheirParts = { due: undefined, begun: 0, ended: 0, stored: 0 };
  /** Whether what was read out of symbols is held to be whole, or lists have to decide once more. */
  #outcome: 'unchecked' | 'checking' | 'sound' | 'doubtful' | 'listed' = 'sound';
  #byeSaid = false;
  #theirBye: 'none' | 'said' | 'reached' = 'none';
  #live = false;
  #stopped = false;
  /** How often we said `expect`, how often they said `hold` to it, and whether `go` is still to come. */
  #expectsSaid = 0;
  #holdsHeard = 0;
  #isHeld = false;
  /** What came from others since we said `hold` to a part, until that is complete: most of it is in it. */
  #withheld: CID[] | undefined;
  readonly #lateMarks: (() => void)[] = [];

  readonly #sent = { blocks: 0, bytes: 0 };
  readonly #received = { blocks: 0, bytes: 0 };
  #toSend = { blocks: 0, bytes: 0 };
  #toReceive = { blocks: 0, bytes: 0 };
  #progressToldAt = -Infinity;

  constructor(host: DialectHost, options: NativeOptions) {
    const { replica, origin } = host;
    this.#host = host;
    this.#options = options;
    this.#unwatch = replica.watch((cids, from) => this.#onStored(cids, from));
    this.#incoming = Incoming.of(replica);
    this.#relay = Relay.of(replica);
    this.#part = {
      hold: () => {
        if (this.#theirs!.takes) this.#withheld ??= [];
        this.#send({ kind: 'hold' });
      },
      go: () => {
        this.#sayGo().catch((error: unknown) => this.#host.fail(error));
      },
    };
    this.#ourPages = (options.takes && replica.history?.loosePages()) || [];
    this.#ours = this.#hello();
    this.#outbox = new Outbox(host, this.#ours.heads, (bytes) => this.#onSent(bytes));
    this.#inbox = new Inbox(replica, origin, options.windowBytes, {
      arriving: (blocks) => this.#onArriving(blocks),
      arrived: (blocks) => this.#relay.arrived(blocks.map(({ cid }) => cid)),
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
      throw malformed('a text frame');
    }
    if (frame.length > this.#host.channel.maxFrameBytes) {
      throw new ProtocolError('frame-too-large', `a frame of ${frame.length} bytes`);
    }
    const message = decodeMessage(frame);
    this.#host.trace.message('in', message.kind, frame);
    this.#accept(message);
    this.#changed.wake();
  }

  whenStored(callback: (refusal?: Error) => void): void {
    const tell = (): void => callback(this.#theirs!.takes ? undefined : takesNothing());
    if (this.#withheld === undefined) this.#mark(tell);
    else this.#lateMarks.push(tell);
  }

  /** Calls back once the other side holds what is sent, queued and announced now. */
  #mark(callback: () => void): void {
    if (this.#announcer === undefined) this.#outbox.whenStored(callback);
    else this.#announcer.whenAnswered(() => this.#outbox.whenStored(callback));
  }

  async finish(): Promise<void> {
    this.#unwatch();
    // A peer that leaves does not wait for the rest of a first sync; it will ask for it next time.
    const cutShort = this.#theirBye !== 'none' && this.#ourPart === 'pending';
    if (!cutShort) {
      if (this.#withheld !== undefined) await this.#handOn();
      this.#announcer?.deliver();
      await this.#untilTheyHaveAll();
    }
    if (this.#stopped) return;
    this.#announced?.stop();
    this.#send({ kind: 'bye' });
    this.#byeSaid = true;
    this.#outbox.stop();
    await this.#until(() => this.#theirBye === 'reached');
  }

  /** What lists still have to find, too, unless the other side leaves. */
  async #untilTheyHaveAll(): Promise<void> {
    const stored = (): Promise<void> =>
      new Promise((resolve) => this.#outbox.whenStored(() => resolve()));
    await stored();
    while (this.#outcome === 'doubtful' && this.#theirBye === 'none') {
      await this.#until(() => this.#outcome !== 'doubtful' || this.#theirBye !== 'none');
      if (this.#outcome !== 'doubtful') await stored();
    }
  }

  async settle(): Promise<boolean> {
    this.#outbox.stop();
    this.#inbox.end();
    await this.#receiving;
    const isIdle = this.#outbox.idle && this.#inbox.idle && this.#announcer?.idle !== false;
    return this.#theirBye === 'reached' || (this.#live && isIdle);
  }

  abort(error: Error): void {
    const code = error instanceof ProtocolError ? error.code : undefined;
    const reason = ABORT_REASONS.find((known) => known === code);
    if (reason !== undefined) this.#send({ kind: 'abort', reason, text: error.message });
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#incoming.end(this.#part);
    this.#announcer?.stop();
    this.#announced?.stop();
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
    if (!this.#options.takes && isOfBlocks(message)) throw takesNothing();
    switch (message.kind) {
      case 'hello':
        return this.#onHello(message);
      case 'known':
      case 'unknown':
        if (this.#relation !== 'different' || this.#theirVerdict !== undefined) {
          throw unexpected(message);
        }
        this.#theirVerdict = message.kind;
        if (message.kind === 'unknown') this.#difference?.compareWith(message);
        return this.#evaluate();
      case 'have':
      case 'symbols':
      case 'more':
      case 'want':
        if (!this.#isDifferent() || this.#difference === undefined || this.#byContext) {
          throw unexpected(message);
        }
        this.#difference.accept(message);
        if (this.#difference.isDoubted) this.#doubt();
        return;
      case 'pages':
        if (this.#theirs?.pageCount === 0) throw unexpected(message);
        return this.#theirPages.accept(message.list, message.last);
      case 'context':
        if (!this.#isDifferent() || !this.#byContext || !this.#theirs!.takes) {
          throw unexpected(message);
        }
        return this.#context.accept(message.bytes, message.last);
      case 'expect': {
        const parts = this.#theirParts;
        if (parts.begun !== parts.ended || parts.begun === (parts.due ?? 0)) {
          throw unexpected(message);
        }
        parts.begun++;
        this.#toReceive = { blocks: message.blocks, bytes: message.bytes };
        this.#incoming.begin(this.#part, message.blocks);
        return this.#tellProgress();
      }
      case 'car':
        return this.#inbox.accept(message.bytes);
      case 'packed':
        if (!this.#ours.inflates) throw unexpected(message);
        return this.#inbox.accept({ deflated: message.bytes, length: message.length });
      case 'done':
        if (this.#theirParts.begun === this.#theirParts.ended) throw unexpected(message);
        this.#theirParts.ended++;
        return this.#inbox.mark('done');
      case 'stored':
        return this.#outbox.stored(message.bytes);
      case 'hold':
        if (this.#isHeld || this.#holdsHeard === this.#expectsSaid) throw unexpected(message);
        this.#holdsHeard++;
        this.#isHeld = true;
        return this.#outbox.hold();
      case 'go':
        if (!this.#isHeld) throw unexpected(message);
        this.#isHeld = false;
        this.#goOn(message.cids).catch((error: unknown) => this.#host.fail(error));
        return;
      case 'announce': {
        const keys = keyTexts(message.keys);
        for (const key of keys) this.#outbox.known(key);
        this.#announced!.accept(keys).catch((error: unknown) => this.#host.fail(error));
        return;
      }
      case 'held':
        if (this.#announcer === undefined) throw unexpected(message);
        return this.#announcer.held(message.count, keyTexts(message.again));
      case 'fetch':
        if (this.#announcer === undefined) throw unexpected(message);
        return this.#announcer.fetch(keyTexts(message.keys));
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
      deflate: theirs.inflates && canDeflate ? this.#options.compression : 'never',
    });
    this.#outbox.held(theirs.heads);
    if (theirs.takes) {
      const { replica } = this.#host;
      this.#announcer = new Announcer(replica, this.#outbox, this.#sayKeys, this.#delayMs);
    } else this.#giveNothing();
    if (this.#options.takes) this.#announced = new Announced(this.#relay, this.#sayKeys);
    if (relation === 'in-sync' || relation === 'we-are-empty') this.#ourPart = 'stored';
    if (relation === 'in-sync' || relation === 'they-are-empty' || !this.#options.takes) {
      this.#theirParts.due = 0;
    }
    if (relation === 'we-are-empty') this.#theirParts.due = 1;
    if (relation === 'different') {
      this.#difference = new Difference(this.#diffHost(), this.#ours, theirs);
    }
    this.#host.setState({ kind: 'comparing' });
    this.#evaluate();
  }

  /** The other side only gives: what is written here, or comes from others, is not for it. */
  #giveNothing(): void {
    this.#unwatch();
    this.#outbox.forgetQueue();
  }

  #onReached(milestone: Milestone): void {
    if (milestone === 'done') {
      this.#theirParts.stored++;
      this.#incoming.end(this.#part);
      if (this.#withheld !== undefined) {
        this.#handOn().catch((error: unknown) => this.#host.fail(error));
      }
      this.#check().catch((error: unknown) => this.#host.fail(error));
    } else {
      this.#theirBye = 'reached';
      this.#changed.wake();
      this.#host.peerLeaves();
    }
  }

  /** True once both sides have said `unknown`. */
  #isDifferent(): boolean {
    return this.#ourVerdict === 'unknown' && this.#theirVerdict === 'unknown';
  }

  /** Looks at all that is known by now and takes the steps that follow from it. */
  #evaluate(): void {
    const parts = this.#theirParts;
    if (parts.due === undefined) {
      // Who said `known` streams what we lack, or nothing; with two `unknown` both stream.
      if (this.#theirVerdict === 'known' || this.#isDifferent()) parts.due = 1;
      else if (this.#ourVerdict === 'known' && this.#theirVerdict === 'unknown') parts.due = 0;
      if (this.#isDifferent()) this.#outcome = 'unchecked';
    }
    const isSound = this.#outcome === 'sound' || this.#outcome === 'listed';
    const hasAll = parts.stored === parts.due && isSound;
    if (this.#live || this.#ourPart !== 'stored' || !hasAll) return;
    this.#live = true;
    this.#host.setState({ kind: 'live' });
  }

  /**
   * What was read out of symbols is right when everything at or below the other side's heads is here:
   * these hashes cannot be forged.
   */
  async #check(): Promise<void> {
    const isRead = this.#difference?.isRead === true && this.#theirParts.stored > 0;
    if (this.#outcome !== 'unchecked' || !isRead) return this.#evaluate();
    this.#outcome = 'checking';
    const isWhole = await holds(this.#host.replica, this.#theirs!.heads);
    if (this.#outcome !== 'checking') return;
    if (isWhole) this.#outcome = 'sound';
    else this.#doubt();
    this.#evaluate();
  }

  /** Lists shall decide: after what is under way, each side streams what the other's list lacks. */
  #doubt(): void {
    if (this.#outcome === 'doubtful' || this.#outcome === 'listed') return;
    this.#outcome = 'doubtful';
    if (this.#options.takes) this.#theirParts.due = 2;
    this.#outbox.interrupt();
  }

  // --- what this side says ---

  async #speak(): Promise<void> {
    await this.#until(() => this.#theirs !== undefined);
    if (this.#ourPages.length > 0) await this.#tellPages();
    if (this.#relation === 'in-sync' || this.#relation === 'we-are-empty')
      await this.#traceHellos();
    if (this.#ourPart === 'pending') await this.#sendFirstPart(this.#theirs!);
    while (!this.#outbox.stopped) {
      if (this.#outcome === 'doubtful' && this.#theirBye === 'none' && !this.#byeSaid) {
        await this.#sendByLists();
      }
      await this.#outbox.live();
    }
  }

  async #sendFirstPart(theirs: Hello): Promise<void> {
    const { replica } = this.#host;
    if (this.#relation === 'they-are-empty') {
      if (this.#sendsSnapshot(theirs)) return this.#streamSnapshot(0);
      await this.#traceDifference('heads', 0, replica.blockCount, () => replica.cids());
      this.#outbox.forgetQueue();
      const { blockCount } = replica;
      await this.#stream(slices(replica.cids(), blockCount), { blocks: blockCount, bytes: 0 });
      return;
    }
    const since = await this.#blocksSince(theirs);
    if (since !== undefined) {
      this.#ourVerdict = 'known';
      this.#send({ kind: 'known' });
      this.#evaluate();
      await this.#traceDifference('heads', 0, since.length, () => since);
      await this.#streamPart(() => slices(since));
      return;
    }
    const place = this.#outbox.place;
    const summary = this.#byContext ? NO_SUMMARY : await this.#difference!.summarize();
    this.#ourVerdict = 'unknown';
    this.#send({ kind: 'unknown', ...summary });
    await this.#until(() => this.#theirVerdict !== undefined);
    this.#evaluate();
    if (this.#theirVerdict === 'known') {
      await this.#traceDifference('heads', theirs.blockCount - this.#ours.blockCount, 0);
      return this.#skipPart();
    }
    if (this.#byContext) return this.#sendBeyondTheirContext();
    const finding = await this.#difference!.find();
    if (finding.kind === 'listed') {
      this.#outcome = 'listed';
      await this.#sendLacking(finding.lacks);
      return;
    }
    if (finding.doubtful) this.#doubt();
    else await this.#check();
    if (this.#wasPrunedSince(theirs)) return this.#streamSnapshot();
    this.#outbox.forgetQueue(place);
    const here = finding.theirs - (finding.ours - finding.cids.length);
    await this.#traceDifference('sketch', here, finding.cids.length, () => finding.cids);
    await this.#streamPart(() => slices(finding.cids));
  }

  async #sendByLists(): Promise<void> {
    this.#ourPart = 'pending';
    const lacks = await this.#difference!.exchangeLists();
    await this.#sendLacking(lacks);
    this.#outcome = 'listed';
    this.#evaluate();
  }

  async #sendLacking(lacks: Lacks): Promise<void> {
    const { replica } = this.#host;
    if (this.#wasPrunedSince(this.#theirs!)) return this.#streamSnapshot();
    const count = replica.blockCount;
    this.#outbox.forgetQueue();
    const source = (): Slices => lacking(replica.cids(), count, lacks);
    if (this.#host.trace.isHeard) await this.#traceLists(source);
    await this.#streamPart(source);
  }

  /**
   * What they lack, when we hold everything below their heads and they hold nothing else. Whether
   * they do shows in the counts: a block that no commit links to is below no head.
   */
  async #blocksSince(theirs: Hello): Promise<readonly CID[] | undefined> {
    const { replica } = this.#host;
    if (replica.blocksSince === undefined || theirs.headsTruncated) return undefined;
    if (sameHeads(this.#ours, theirs)) return undefined;
    const place = this.#outbox.place;
    const blockCount = countOf(replica);
    const since = await replica.blocksSince(theirs.heads);
    if (since === undefined) return undefined;
    const cids: CID[] = [];
    for await (const slice of slices(since)) cids.push(...slice);
    if (cids.length + theirs.blockCount !== blockCount) return undefined;
    this.#outbox.forgetQueue(place);
    return cids;
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

  /** True when since our hello another session brought a snapshot, of which no list tells. */
  #wasPrunedSince(theirs: Hello): boolean {
    return (
      theirs.takes && this.#host.replica.history?.isPruned === true && theirs.history !== 'blocks'
    );
  }

  async #sendBeyondTheirContext(): Promise<void> {
    this.#outcome = 'listed';
    const history = this.#host.replica.history!;
    if (this.#options.takes) {
      const context = await history.context();
      for (const part of byteParts(context, this.#frameBytes - FRAME_OVERHEAD_BYTES)) {
        this.#send({ kind: 'context', ...part });
      }
    }
    if (!this.#theirs!.takes) return this.#skipPart();
    await this.#until(() => this.#context.complete);
    // What comes from here on stands in the queue again.
    this.#outbox.forgetQueue();
    const cids = await this.#blocksBeyond(history, this.#context.bytes);
    if (cids === undefined) return this.#streamSnapshot();
    if (this.#host.trace.isHeard) {
      await this.#traceDifference('context', undefined, [...cids].length, () => cids);
    }
    await this.#streamPart(() => slices(cids));
  }

  async #blocksBeyond(
    history: ReplicaHistory,
    context: Uint8Array,
  ): Promise<Iterable<CID> | undefined> {
    try {
      return await history.blocksBeyond(context);
    } catch (cause) {
      if (!(cause instanceof BlockError)) throw cause;
      throw malformed('these are not the bytes of a context', cause);
    }
  }

  async #tellPages(): Promise<void> {
    const pages = this.#ourPages;
    for await (const part of listParts(pages, pages.length, listedCids(this.#frameBytes))) {
      this.#send({ kind: 'pages', ...part });
    }
  }

  /** @param lackedHere how many blocks this side lacks, if that is known */
  async #streamSnapshot(lackedHere?: number): Promise<void> {
    const size = this.#host.replica.history!.snapshotSize;
    if (this.#host.trace.isHeard) await this.#traceDifference('snapshot', lackedHere, size.blocks);
    if (this.#theirs!.pageCount > 0) {
      await this.#until(() => this.#theirPages.complete);
      this.#outbox.leaveOut((page) => !this.#theirPages.lacks(page));
    }
    this.#begin(size);
    await this.#outbox.sendSnapshot();
    this.#finishPart();
  }

  #diffHost(): DiffHost {
    const { channel, replica } = this.#host;
    return {
      replica,
      frameBytes: this.#frameBytes,
      send: (message) => this.#send(message),
      ready: async () => {
        if (channel.congested) await channel.drained();
        await this.#until(() => true);
      },
      until: (condition) => this.#until(condition),
    };
  }

  async #streamPart(source: () => Slices): Promise<void> {
    if (this.#theirs!.takes) await this.#stream(source(), await this.#measure(source()));
    else this.#skipPart();
  }

  /** The other side lacks nothing, or takes nothing. */
  #skipPart(): void {
    this.#ourPart = 'stored';
    this.#evaluate();
  }

  async #stream(cids: Slices, amount: Amount): Promise<void> {
    this.#begin(amount);
    await this.#outbox.send(cids);
    this.#finishPart();
  }

  #begin(amount: Amount): void {
    this.#toSend = amount;
    this.#expectsSaid++;
    this.#send({ kind: 'expect', blocks: amount.blocks, bytes: amount.bytes });
    this.#tellProgress();
  }

  #finishPart(): void {
    this.#send({ kind: 'done' });
    this.#outbox.held(this.#ours.heads);
    this.#ourPart = 'sent';
    this.#outbox.whenSentIsStored(() => {
      this.#ourPart = 'stored';
      this.#evaluate();
    });
  }

  async #measure(cids: Slices): Promise<Amount> {
    const { replica } = this.#host;
    let blocks = 0;
    let bytes = 0;
    for await (const slice of cids) {
      blocks += slice.length;
      for (const cid of slice) bytes += replica.blockSize?.(cid) ?? 0;
    }
    return { blocks, bytes };
  }

  // --- what those hear who trace ---

  /** What the hellos say, where there is nothing to send. */
  async #traceHellos(): Promise<void> {
    const [ours, theirs] = [this.#ours, this.#theirs!];
    const isEqual = ours.blockCount === theirs.blockCount;
    if (this.#relation === 'we-are-empty')
      await this.#traceDifference('heads', theirs.blockCount, 0);
    else if (isEqual && sameHeads(ours, theirs)) await this.#traceDifference('equal', 0, 0);
  }

  /** Each side knows the other's list, and so how many both hold. */
  async #traceLists(source: () => Slices): Promise<void> {
    const cids: CID[] = [];
    for await (const slice of source()) cids.push(...slice);
    const { ours, theirs } = this.#difference!.listed;
    const here = this.#theirs!.takes ? theirs - (ours - cids.length) : undefined;
    await this.#traceDifference('list', here, cids.length, () => cids);
  }

  /**
   * @param here how many blocks this side lacks, undefined where that is not known
   * @param cids those that the other side lacks, the first of them at least
   */
  async #traceDifference(
    how: Extract<TraceFact, { kind: 'difference' }>['how'],
    here: number | undefined,
    there: number,
    cids: () => CidSource = () => [],
  ): Promise<void> {
    const { replica, trace } = this.#host;
    if (!trace.isHeard) return;
    const heads: CID[] = [];
    for (const head of here === 0 ? [] : this.#theirs!.heads) {
      if (!(await replica.has(head))) heads.push(head);
    }
    const first: CID[] = [];
    for await (const slice of slices(cids(), MAX_TRACED_CIDS)) first.push(...slice);
    trace.tell({
      kind: 'difference',
      how,
      lackedHere: { count: here === undefined ? here : Math.max(0, here), cids: heads },
      lackedThere: { count: there, cids: first },
    });
  }

  #hello(): Hello {
    const { channel, replica } = this.#host;
    const heads = this.#someHeads();
    return {
      kind: 'hello',
      version: PROTOCOL_VERSION,
      heads,
      headsTruncated: heads.length < replica.clock.length,
      blockCount: countOf(replica),
      windowBytes: this.#options.windowBytes,
      maxFrameBytes: channel.maxFrameBytes,
      replicaId: replica.id ?? new Uint8Array(),
      history: historyKind(replica),
      inflates: canDeflate,
      pageCount: this.#ourPages.length,
      takes: this.#options.takes,
    };
  }

  /** As many of our heads as a hello takes. */
  #someHeads(): readonly CID[] {
    const most = Math.min(MAX_HELLO_HEADS, listedCids(this.#frameBytes));
    return this.#host.replica.clock.slice(0, most);
  }

  /** The largest frame that both sides take. */
  get #frameBytes(): number {
    const { maxFrameBytes } = this.#host.channel;
    return Math.min(maxFrameBytes, this.#theirs?.maxFrameBytes ?? maxFrameBytes);
  }

  /** After the end there is nobody to say anything to, and after `bye` little that may be said. */
  #send(message: Message): void {
    const { kind } = message;
    const isLate = this.#byeSaid && kind !== 'stored' && kind !== 'abort';
    if (!this.#stopped && !isLate) this.#host.send(encodeMessage(message), kind);
  }

  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#stopped) throw sessionEnded();
      if (condition()) return;
      await this.#changed.wait();
    }
  }

  // --- what happens to the replica ---

  /** Runs inside the replica's own write, which a session that fails must not disturb. */
  #onStored(cids: readonly CID[], origin: object | undefined): void {
    try {
      if (origin === this.#host.origin) this.#outbox.shown(cids);
      else if (this.#withheld === undefined) this.#push(cids, origin);
      else if (origin === undefined && this.#outbox.areApplicable(cids)) {
        this.#outbox.held(cids);
        this.#outbox.push(cids);
      } else this.#withhold(this.#withheld, cids);
    } catch (error) {
      this.#host.fail(error);
    }
  }

  /** Until the first sync is over nobody knows who has what: then everything goes at once. */
  #push(cids: readonly CID[], origin: object | undefined): void {
    if (origin === undefined || !this.#live) this.#outbox.push(cids);
    else this.#announcer?.handOn(cids, origin);
  }

  /** Of two sides that get a block at the same time only one has to announce it. */
  get #delayMs(): number {
    const isFirst = compareBytes(encodeMessage(this.#ours), encodeMessage(this.#theirs!)) < 0;
    return isFirst ? ANNOUNCE_MS : 2 * ANNOUNCE_MS;
  }

  readonly #sayKeys: SayKeys = (keys, messageOf) => {
    const room = this.#frameBytes - FRAME_OVERHEAD_BYTES;
    const perFrame = room - (room % KEY_BYTES);
    for (const { bytes } of byteParts(keyBytes(keys), perFrame)) this.#send(messageOf(bytes));
  };

  #onArriving(blocks: readonly Block[]): Promise<void> | undefined {
    if (!this.#live || !this.#relay.isShared) return undefined;
    const arriving = this.#relay.arriving(blocks.map(({ cid }) => cid));
    return arriving.then((again) => this.#announced!.cameAgain(again));
  }

  #withhold(withheld: CID[], cids: readonly CID[]): void {
    if (withheld.length + cids.length > MAX_QUEUED_BLOCKS) throw tooManyWait();
    for (const cid of cids) withheld.push(cid);
  }

  async #sayGo(): Promise<void> {
    if (this.#stopped) return;
    const cids = await locate(this.#host.replica, this.#someHeads());
    this.#send({ kind: 'go', cids });
  }

  /** Goes on with what the other side lacks now, as far as that can be found out from some of its commits. */
  async #goOn(cids: readonly CID[]): Promise<void> {
    const { replica } = this.#host;
    const known: CID[] = [];
    for (const cid of cids) if (await isCommit(replica, cid)) known.push(cid);
    this.#outbox.goOn(known.length > 0 ? await setSince(replica, known) : undefined);
  }

  /** Hands on what came from others meanwhile and the other side did not have when it said hello. */
  async #handOn(): Promise<void> {
    const asked = this.#withheld?.length ?? 0;
    const lacking = await setSince(this.#host.replica, this.#theirs!.heads);
    const cids = this.#withheld ?? [];
    this.#withheld = undefined;
    // Nothing was found out about what came meanwhile.
    this.#outbox.push(cids.filter((cid, at) => at >= asked || (lacking?.has(cid) ?? true)));
    for (const callback of this.#lateMarks.splice(0)) this.#mark(callback);
  }

  #onSent(bytes: number): void {
    this.#sent.blocks++;
    this.#sent.bytes += bytes;
    this.#tellProgress(PROGRESS_INTERVAL_MS);
  }

  #onReceived(blocks: readonly Block[], bytes: number): void {
    this.#incoming.progress(this.#part);
    // What waits for its parents is held, too, and no watcher hears of it.
    const cids = blocks.map(({ cid }) => cid);
    this.#relay.stored(cids);
    const { trace } = this.#host;
    if (trace.isHeard) trace.tell({ kind: 'blocks', direction: 'in', cids, bytes });
    this.#received.blocks += blocks.length;
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

/** What brings blocks, or says that they may come. */
function isOfBlocks({ kind }: Message): boolean {
  return kind === 'expect' || kind === 'car' || kind === 'packed' || kind === 'announce';
}

/** What is said where contexts decide. */
const NO_SUMMARY: Summary = { size: 0, counts: new Uint8Array() };

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

/** How many blocks a replica has, those among them that it holds only within a snapshot. */
function countOf(replica: Replica): number {
  return replica.history?.commitCount ?? replica.blockCount;
}

/** How much further from the end each located commit is than the next: a million blocks give 76. */
const LOCATOR_STEP = 1.2;

/** True when these commits are part of the clock, and so is all below them. */
async function holds(replica: Replica, heads: readonly CID[]): Promise<boolean> {
  if (replica.history !== undefined) return replica.history.hasMerged(heads);
  if (replica.blocksSince !== undefined) return (await replica.blocksSince(heads)) !== undefined;
  for (const head of heads) if (!(await replica.has(head))) return false;
  return true;
}

type Slices = AsyncIterable<readonly CID[]>;

/**
 * Heads, and commits ever further back in the order in which they came: whoever has only an older
 * part of what is here finds one that is not far from the end of it.
 */
async function locate(replica: Replica, heads: readonly CID[]): Promise<CID[]> {
  const located = heads.slice(0, MAX_HELLO_HEADS / 2);
  let left = replica.blockCount;
  let due = left;
  for await (const slice of slices(replica.cids(), left)) {
    for (const cid of slice) {
      if (left <= due && (await isCommit(replica, cid))) {
        located.push(cid);
        due = Math.floor(left / LOCATOR_STEP);
      }
      left--;
    }
  }
  return located;
}

async function isCommit(replica: Replica, cid: CID): Promise<boolean> {
  const bytes = await replica.getBlock(cid);
  return bytes !== undefined && replica.parentsOf({ cid, bytes }) !== undefined;
}

/** What a side lacks that has these heads and all below them, if that can be told. */
async function setSince(replica: Replica, heads: readonly CID[]): Promise<CidSet | undefined> {
  const since = await replica.blocksSince?.(heads);
  if (since === undefined) return undefined;
  const set = new CidSet();
  for await (const slice of slices(since)) for (const cid of slice) set.add(cid);
  return set;
}

async function* lacking(cids: CidSource, count: number, lacks: Lacks): Slices {
  for await (const slice of slices(cids, count)) yield slice.filter(lacks);
}
