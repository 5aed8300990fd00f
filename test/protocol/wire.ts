import { encode } from '@ipld/dag-cbor';
import type { CID } from 'multiformats/cid';
import { type Block, blockOf } from '../../src/blocks.ts';
import { carFrames, carHeader } from '../../src/car/writer.ts';
import type { Channel, Frame } from '../../src/protocol/channel.ts';
import {
  decodeMessage,
  encodeMessage,
  type Hello,
  type Message,
} from '../../src/protocol/messages.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import { Session, type SessionOptions } from '../../src/protocol/session.ts';
import { WrappedChannel } from '../../src/protocol/wrapped-channel.ts';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { TinyReplica } from '../support/tiny-replica.ts';

/** A channel that counts what goes out, and tells before each frame, so that a test can cut there. */
export class Tap extends WrappedChannel {
  readonly #onFrame: (frame: Frame) => void;
  frames = 0;
  bytes = 0;
  /** CAR frames that went out although the channel was congested. */
  rudeFrames = 0;

  constructor(channel: Channel, onFrame: (frame: Frame) => void = () => {}) {
    super(channel);
    this.#onFrame = onFrame;
  }

  override send(frame: Frame): void {
    this.#onFrame(frame);
    if (this.congested && frame instanceof Uint8Array && decodeMessage(frame).kind === 'car') {
      this.rudeFrames++;
    }
    super.send(frame);
    this.frames++;
    this.bytes += frame.length;
  }
}

/** The other end of a channel, played by the test: says what it likes and hears all. */
export class Script {
  readonly #channel: Channel;
  readonly #heard: Frame[] = [];
  #wake: () => void = () => {};
  #closed = false;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.start({
      frame: (frame) => {
        this.#heard.push(frame);
        this.#wake();
      },
      closed: () => {
        this.#closed = true;
        this.#wake();
      },
    });
  }

  send(frame: Frame): void {
    this.#channel.send(frame);
  }

  say(...messages: Message[]): void {
    for (const message of messages) this.#channel.send(encodeMessage(message));
  }

  close(): Promise<void> {
    return this.#channel.close();
  }

  /** The next frame; undefined once the channel is closed. */
  async frame(): Promise<Frame | undefined> {
    while (this.#heard.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#heard.shift();
  }

  /** The next message that is of this kind; everything before it is passed over. */
  async hear<K extends Message['kind']>(kind: K): Promise<Extract<Message, { kind: K }>> {
    for (;;) {
      const frame = await this.frame();
      if (frame === undefined) throw new Error(`the channel closed before ${kind}`);
      if (typeof frame === 'string') throw new Error(`text before ${kind}`);
      const message = decodeMessage(frame);
      if (message.kind === kind) return message as Extract<Message, { kind: K }>;
    }
  }
}

export interface Scripted {
  script: Script;
  session: Session;
  /** How the session ended: its error, or undefined. */
  ended: Promise<unknown>;
}

export function scripted(replica: Replica, options: SessionOptions = {}): Scripted {
  const [left, right] = createMemoryChannelPair();
  const session = new Session(left, replica, { compression: 'never', ...options });
  const ended = outcome(session.run());
  return { script: new Script(right), session, ended };
}

export interface Joined {
  alice: Session;
  bob: Session;
  /** What each side sent. */
  fromAlice: Tap;
  fromBob: Tap;
  ended: Promise<unknown[]>;
  cut(): void;
  /** Resolves when both have stored all of each other. */
  settled(): Promise<void>;
}

export interface JoinOptions {
  alice?: SessionOptions;
  bob?: SessionOptions;
  maxFrameBytes?: number;
  highWaterMark?: number;
  onFrame?: (frame: Frame, from: 'alice' | 'bob') => void;
  /** Cuts the line in place of this frame, counted from 1 over both directions. */
  cutAtFrame?: number;
}

export function join(alice: Replica, bob: Replica, options: JoinOptions = {}): Joined {
  const { maxFrameBytes = 65_536, highWaterMark = 1024 * 1024 } = options;
  const pair = createMemoryChannelPair({ maxFrameBytes, highWaterMark });
  let frames = 0;
  const onFrame = (frame: Frame, from: 'alice' | 'bob'): void => {
    if (++frames === options.cutAtFrame) pair[0].cut();
    options.onFrame?.(frame, from);
  };
  const fromAlice = new Tap(pair[0], (frame) => onFrame(frame, 'alice'));
  const fromBob = new Tap(pair[1], (frame) => onFrame(frame, 'bob'));
  const left = new Session(fromAlice, alice, { compression: 'never', ...options.alice });
  const right = new Session(fromBob, bob, { compression: 'never', ...options.bob });
  return {
    alice: left,
    bob: right,
    fromAlice,
    fromBob,
    ended: Promise.all([outcome(left.run()), outcome(right.run())]),
    cut: () => pair[0].cut(),
    settled: async () => {
      await Promise.all([left.firstSync(), right.firstSync()]);
      await Promise.all([left.synced(), right.synced()]);
    },
  };
}

/** The error that a promise rejects with; undefined when it resolves. */
export function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

type TinyOptions = ConstructorParameters<typeof TinyReplica>[0];

// --- what a scripted peer says ---

export function helloOf(fields: Partial<Hello> = {}): Hello {
  return {
    kind: 'hello',
    version: 1,
    heads: [],
    headsTruncated: false,
    blockCount: 0,
    windowBytes: 4 * 1024 * 1024,
    maxFrameBytes: 64 * 1024,
    replicaId: new Uint8Array(),
    history: 'blocks',
    inflates: false,
    pageCount: 0,
    takes: true,
    ...fields,
  };
}

export function commitOf(key: string, value: unknown, parents: readonly CID[] = []): Block {
  return blockOf(encode({ parents, data: { key, value, links: [] } }));
}

export function carOf(blocks: readonly Block[], roots: readonly CID[] = []): Uint8Array {
  return carFrames(blocks, carHeader(roots));
}

/** A replica with `count` commits of about 200 bytes. */
export function filled(count: number, prefix = 'k', options: TinyOptions = {}): TinyReplica {
  const replica = new TinyReplica(options);
  addTo(replica, count, prefix);
  return replica;
}

export function addTo(replica: TinyReplica, count: number, prefix: string): void {
  for (let i = 0; i < count; i++) replica.put(`${prefix}${i}`, 'v'.repeat(120) + i);
}

/** Both replicas hold what `common` holds. */
export function copyOf(common: TinyReplica, options: TinyOptions = {}): TinyReplica {
  const copy = new TinyReplica(options);
  void copy.receive(
    common.cids().map((cid) => ({ cid, bytes: common.getBlock(cid) as Uint8Array })),
  );
  copy.repeated = 0;
  return copy;
}

/** Text that deflates well, in commits of their own. */
export function wordy(count: number): TinyReplica {
  const replica = new TinyReplica();
  for (let i = 0; i < count; i++) replica.put(`key:${i}`, 'so many words '.repeat(20) + i);
  return replica;
}
