import { encode } from '@ipld/dag-cbor';
import type { CID } from 'multiformats/cid';
import { type Block, blockOf } from '../../src/blocks.ts';
import { ConnectionError, ProtocolError } from '../../src/errors.ts';
import type { Channel, ChannelHandlers, Frame } from '../../src/protocol/channel.ts';
import { WrappedChannel } from '../../src/protocol/wrapped-channel.ts';
import { packCids } from '../../src/protocol/diff/list.ts';
import {
  ABORT_REASONS,
  HISTORY_KINDS,
  decodeMessage,
  encodeMessage,
  type Message,
} from '../../src/protocol/messages.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import { commitBlock, putOf } from '../ledger/commits.ts';
import { START_MS } from '../support/history.ts';
import type { Random } from '../support/random.ts';
import { mutated } from './mutate.ts';

/*
 * A peer that converses as it should, by a real session, and lies: about its blocks, in the replica
 * that the session asks, and in what it says, on the channel that the session speaks over.
 */

/** Counts and sizes that are wrong in one way or another. */
function wrongCount(random: Random, right: number): number {
  const near = Math.max(0, right + random.pick([-1, 1, 2, 100]));
  return random.pick([0, 1, near, near, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]);
}

function strangeCids(random: Random, count: number): CID[] {
  return Array.from({ length: count }, () => blockOf(random.bytes(8)).cid);
}

function someKeys(random: Random): Uint8Array {
  return random.bytes(16 * (1 + random.below(random.pick([3, 100]))));
}

type Watcher = (cids: readonly CID[], origin?: object) => void;

/** Holds what it was given, and tells something else. Each liar has one or two lies of its own. */
export class LyingReplica implements Replica {
  readonly id: Uint8Array;
  readonly #random: Random;
  readonly #blocks: Block[];
  readonly #heads: readonly CID[];
  readonly #watchers = new Set<Watcher>();
  /** How many blocks there are more than it says. */
  readonly #countError: number;
  readonly #knowsAncestry: boolean;

  constructor(random: Random, blocks: readonly Block[], heads: readonly CID[]) {
    this.id = random.bytes(8);
    this.#random = random;
    this.#blocks = bent(random, blocks);
    this.#heads = random.oneIn(6) ? strangeCids(random, 1 + random.below(3)) : heads;
    this.#countError = random.oneIn(6) ? random.below(7) - 3 : 0;
    this.#knowsAncestry = random.oneIn(2);
  }

  get clock(): readonly CID[] {
    return this.#heads;
  }

  get blockCount(): number {
    return Math.max(0, this.#blocks.length + this.#countError);
  }

  has(): boolean {
    return this.#random.oneIn(2);
  }

  getBlock(cid: CID): Uint8Array | undefined {
    const found = this.#blocks.filter((block) => block.cid.equals(cid));
    return found.length > 0 ? this.#random.pick(found).bytes : undefined;
  }

  cids(): CID[] {
    return this.#blocks.map(({ cid }) => cid);
  }

  receive(): void {}

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  blocksSince(heads: readonly CID[]): CID[] | undefined {
    if (!this.#knowsAncestry) return undefined;
    return this.cids().filter((cid) => !heads.some((head) => head.equals(cid)));
  }

  parentsOf(): readonly CID[] {
    return [];
  }

  /** Something new, as if it had just been written. */
  tell(block: Block): void {
    this.#blocks.push(block);
    for (const watcher of this.#watchers) watcher([block.cid]);
  }
}

/** The blocks, with lies among them. */
function bent(random: Random, blocks: readonly Block[]): Block[] {
  const bentBlocks = [...blocks];
  for (let lies = random.oneIn(2) ? 0 : 1 + random.below(2); lies > 0; lies--) {
    const at = random.below(bentBlocks.length + 1);
    switch (random.below(6)) {
      // Withheld, so that its children have no parent.
      case 0:
        bentBlocks.splice(at, 1);
        break;
      case 1:
        bentBlocks.splice(at, 0, ...bentBlocks.slice(at, at + 3));
        break;
      case 2:
        bentBlocks.reverse();
        break;
      default:
        bentBlocks.splice(
          at,
          0,
          ...Array.from({ length: 1 + random.below(4) }, () => lie(random, blocks)),
        );
    }
  }
  return bentBlocks;
}

/** A block that should not be there. */
export function lie(random: Random, blocks: readonly Block[]): Block {
  const some = random.pick(blocks);
  const parents = random.oneIn(2) ? [some.cid] : [];
  const operations = [putOf(`lie-${random.below(3)}`, { n: random.below(1000) })];
  switch (random.below(8)) {
    // Its bytes are those of another.
    case 0:
      return { cid: some.cid, bytes: random.pick(blocks).bytes };
    case 1:
      return blockOf(
        mutated(
          random,
          blocks.map(({ bytes }) => bytes),
        ),
      );
    case 2:
      return commitBlock({ parents, timeMs: START_MS - 1e9, operations });
    // For its receivers the time of this one has not come.
    case 3:
      return commitBlock({ parents, timeMs: START_MS + 1e9 + random.below(1e6), operations });
    case 4:
      return commitBlock({ parents: strangeCids(random, 1), timeMs: START_MS, operations });
    case 5: {
      const replaced = strangeCids(random, 1);
      return commitBlock({ timeMs: START_MS, operations: [putOf('lie', {}, replaced)] });
    }
    // Nothing is wrong with it but that nobody expects it: it is taken.
    case 6:
      return commitBlock({ parents, timeMs: START_MS + 1000, operations });
    default:
      return blockOf(encode({ large: random.bytes(200), n: random.below(1e6) }));
  }
}

/** Says what its session says, and now and then something else. */
export class LyingChannel extends WrappedChannel {
  readonly #random: Random;
  /** What it says can be said again later. */
  readonly #said: Uint8Array[] = [];
  /** The other side's messages are mirrored sometimes. */
  readonly #heard: Uint8Array[] = [];
  #messagesToLie: number;
  bytesSaid = 0;
  framesSaid = 0;

  constructor(channel: Channel, random: Random) {
    super(channel);
    this.#random = random;
    this.#messagesToLie = random.below(15);
  }

  override start(handlers: ChannelHandlers): void {
    super.start({
      frame: (frame) => {
        if (typeof frame !== 'string') this.#heard.push(frame.slice());
        handlers.frame(frame);
      },
      closed: (error) => handlers.closed(error),
    });
  }

  override send(frame: Frame): void {
    if (typeof frame !== 'string') this.#said.push(frame.slice());
    if (this.#messagesToLie-- > 0) return this.#say(frame);
    // Who lies all the time is found out at once.
    this.#messagesToLie = this.#random.oneIn(3) ? this.#random.below(4) : 30;
    for (const other of this.#liesFor(frame as Uint8Array)) this.#say(other);
  }

  #say(frame: Frame): void {
    try {
      super.send(frame);
      this.bytesSaid += frame.length;
      this.framesSaid++;
    } catch (error) {
      // Closed, or more than any channel takes.
      if (!(error instanceof ConnectionError || error instanceof ProtocolError)) throw error;
    }
  }

  #liesFor(frame: Uint8Array): Frame[] {
    const random = this.#random;
    switch (random.below(9)) {
      case 0:
        return [];
      case 1:
        return [frame, frame];
      case 2:
        return Array.from({ length: 300 }, () => frame);
      case 3:
        return [mutated(random, [frame])];
      case 4:
        return [frame, random.pick([...this.#said, ...this.#heard])];
      case 5:
        return [encodeMessage(anyMessage(random)), frame];
      case 6:
        return random.pick([
          ['{"clock":[],"cids":[]}', frame],
          ['nonsense'],
          [frame, '{"ok":true}'],
        ]);
      default:
        return [encodeMessage(twisted(random, decodeMessage(frame)))];
    }
  }
}

/** A message of the right kind with one field that is not true. */
function twisted(random: Random, message: Message): Message {
  switch (message.kind) {
    case 'hello':
      return random.pick<Message>([
        { ...message, version: wrongCount(random, 1) },
        { ...message, heads: strangeCids(random, random.below(300)) },
        { ...message, heads: [...message.heads, ...message.heads] },
        { ...message, headsTruncated: !message.headsTruncated },
        { ...message, blockCount: wrongCount(random, message.blockCount) },
        { ...message, windowBytes: wrongCount(random, message.windowBytes) },
        { ...message, maxFrameBytes: wrongCount(random, message.maxFrameBytes) },
        { ...message, replicaId: random.bytes(random.below(80)) },
        { ...message, history: random.pick(HISTORY_KINDS) },
        { ...message, inflates: !message.inflates },
        { ...message, pageCount: wrongCount(random, message.pageCount) },
        { ...message, takes: !message.takes },
      ]);
    case 'known':
      return { kind: 'unknown', size: 0, counts: new Uint8Array() };
    case 'unknown':
      return random.pick<Message>([
        { kind: 'known' },
        { ...message, size: wrongCount(random, message.size) },
        { ...message, counts: mutated(random, [message.counts, Uint8Array.of(1)]) },
      ]);
    case 'symbols':
      return random.pick<Message>([
        { ...message, salt: random.bytes(8) },
        { ...message, first: wrongCount(random, message.first) },
        { ...message, end: wrongCount(random, message.end) },
        { ...message, size: wrongCount(random, message.size) },
        { ...message, cells: mutated(random, [message.cells]) },
      ]);
    case 'more':
      return { ...message, end: wrongCount(random, message.end) };
    case 'want':
      return random.pick<Message>([
        { ...message, keys: random.bytes(16 * random.below(4)) },
        { ...message, last: !message.last },
      ]);
    case 'pages':
    case 'have': {
      const strange = packCids(strangeCids(random, random.below(20)));
      return random.pick<Message>([
        { ...message, list: strange },
        { ...message, last: !message.last },
        { ...message, list: { digests: message.list.digests.subarray(32), others: [] } },
      ]);
    }
    case 'hold':
      return { kind: 'go', cids: strangeCids(random, random.below(3)) };
    case 'go':
      return random.pick<Message>([
        { kind: 'hold' },
        { ...message, cids: strangeCids(random, random.below(300)) },
      ]);
    case 'context':
      return random.pick<Message>([
        { ...message, last: !message.last },
        { ...message, bytes: mutated(random, [message.bytes]) },
      ]);
    case 'expect':
      return {
        ...message,
        blocks: wrongCount(random, message.blocks),
        bytes: wrongCount(random, 0),
      };
    case 'car':
      return { kind: 'car', bytes: mutated(random, [message.bytes, Uint8Array.of(0)]) };
    case 'packed':
      return random.pick<Message>([
        { ...message, length: wrongCount(random, message.length) },
        { ...message, bytes: mutated(random, [message.bytes]) },
      ]);
    case 'announce':
    case 'fetch':
      return { ...message, keys: someKeys(random) };
    case 'held':
      return random.pick<Message>([
        { ...message, count: wrongCount(random, message.count) },
        { ...message, again: someKeys(random) },
      ]);
    case 'stored':
      return { kind: 'stored', bytes: wrongCount(random, message.bytes) };
    case 'done':
    case 'bye':
      return anyMessage(random);
    case 'abort':
      return { kind: 'bye' };
  }
}

function anyMessage(random: Random): Message {
  return random.pick<Message>([
    { kind: 'known' },
    { kind: 'unknown', size: wrongCount(random, 3), counts: random.bytes(random.below(9)) },
    { kind: 'more', end: wrongCount(random, 30) },
    { kind: 'want', keys: random.bytes(16 * random.below(3)), last: random.oneIn(2) },
    { kind: 'have', list: packCids(strangeCids(random, random.below(5))), last: random.oneIn(2) },
    { kind: 'packed', length: 1 + random.below(70_000), bytes: random.bytes(random.below(40)) },
    { kind: 'pages', list: packCids(strangeCids(random, random.below(5))), last: random.oneIn(2) },
    { kind: 'announce', keys: someKeys(random) },
    { kind: 'held', count: wrongCount(random, random.below(3)), again: someKeys(random) },
    { kind: 'fetch', keys: someKeys(random) },
    { kind: 'hold' },
    { kind: 'go', cids: strangeCids(random, random.below(4)) },
    { kind: 'context', bytes: random.bytes(random.below(30)), last: random.oneIn(2) },
    { kind: 'expect', blocks: wrongCount(random, 3), bytes: wrongCount(random, 3) },
    { kind: 'car', bytes: Uint8Array.of(...random.bytes(1 + random.below(50))) },
    { kind: 'done' },
    { kind: 'stored', bytes: wrongCount(random, random.below(2000)) },
    { kind: 'abort', reason: random.pick(ABORT_REASONS), text: 'because' },
    { kind: 'bye' },
  ]);
}
