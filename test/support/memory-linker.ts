/**
 * Links within one process, over a network that can be slow, lose and break. Their signals are those
 * of WebRTC with made-up descriptions, so they can be lost, doubled and out of order in the same way.
 * All that happens follows from the seed, the calls and the order of the timers.
 */
import { ConnectionError, SignalError } from '../../src/errors.ts';
import {
  MAX_PORT_MESSAGE_BYTES,
  type Link,
  type LinkAttempt,
  type Linker,
  type LinkOptions,
  type LinkSignal,
  type Port,
} from '../../src/rooms/link.ts';
import { checkFrameSize } from '../../src/transports/inbox.ts';
import { createMemoryChannelPair, type MemoryChannel } from '../../src/transports/memory.ts';
import {
  Negotiation,
  type NegotiationStep,
  type TrickleSignal,
  ufragOf,
} from '../../src/transports/negotiation.ts';
import type { Random } from './random.ts';

export interface MemoryNetworkOptions {
  /** Each frame and message takes up to this long, in order but for datagrams. Default 0. */
  readonly maxDelayMs?: number;
  /** Of a hundred datagrams so many are lost. Default 0. */
  readonly datagramLossPercent?: number;
  /** How long a line may be cut before its ends give up. Default 20,000. */
  readonly goneAfterMs?: number;
}

const CANDIDATES = 2;
const MAX_CONTROL_BYTES = 4 * 1024 * 1024;
const MAX_DATAGRAM_BYTES = 64 * 1024;

export class MemoryNetwork {
  readonly random: Random;
  readonly options: Required<MemoryNetworkOptions>;
  readonly #attemptsByUfrag = new Map<string, MemoryAttempt>();
  readonly #lines = new Set<Line>();
  readonly #cuts = new Set<string>();
  #nextUfrag = 1000;

  constructor(random: Random, options: MemoryNetworkOptions = {}) {
    this.random = random;
    this.options = { maxDelayMs: 0, datagramLossPercent: 0, goneAfterMs: 20_000, ...options };
  }

  /** Makes the links of one member. */
  linker(member: string): Linker {
    return (options) => new MemoryAttempt(this, member, options);
  }

  /** The lines that stand. */
  get size(): number {
    return this.#lines.size;
  }

  /** Nothing passes between these two any more, whatever links they make. */
  cut(one: string, other: string): void {
    this.#cuts.add(pairOf(one, other));
    for (const line of this.#lines) if (line.pair === pairOf(one, other)) line.cut();
  }

  heal(one: string, other: string): void {
    this.#cuts.delete(pairOf(one, other));
    for (const line of this.#lines) if (line.pair === pairOf(one, other)) line.heal();
    for (const attempt of this.#attemptsByUfrag.values()) attempt.tryToConnect();
  }

  /** Cuts every pair with one of each group. */
  partition(some: readonly string[], others: readonly string[]): void {
    for (const one of some) for (const other of others) this.cut(one, other);
  }

  healAll(): void {
    for (const pair of this.#cuts) this.heal(...(JSON.parse(pair) as [string, string]));
  }

  isCut(one: string, other: string): boolean {
    return this.#cuts.has(pairOf(one, other));
  }

  // --- for its attempts ---

  introduce(attempt: MemoryAttempt): string {
    const ufrag = `u${this.#nextUfrag++}`;
    this.#attemptsByUfrag.set(ufrag, attempt);
    return ufrag;
  }

  attemptOf(ufrag: string): MemoryAttempt | undefined {
    return this.#attemptsByUfrag.get(ufrag);
  }

  forget(attempt: MemoryAttempt): void {
    for (const [ufrag, known] of this.#attemptsByUfrag) {
      if (known === attempt) this.#attemptsByUfrag.delete(ufrag);
    }
  }

  join(one: MemoryAttempt, other: MemoryAttempt): void {
    const line = new Line(this, pairOf(one.member, other.member));
    this.#lines.add(line);
    void line.ended.then(() => this.#lines.delete(line));
    one.stand(line.ends[0]);
    other.stand(line.ends[1]);
  }
}

class MemoryAttempt implements LinkAttempt {
  readonly member: string;
  readonly connected: Promise<Link>;
  readonly #network: MemoryNetwork;
  readonly #options: LinkOptions;
  readonly #negotiation: Negotiation;
  readonly #timer: ReturnType<typeof setTimeout>;
  #state: 'connecting' | 'connected' | 'ended' = 'connecting';
  #resolve!: (link: Link) => void;
  #reject!: (error: Error) => void;
  #other: MemoryAttempt | undefined;
  #canReach = false;
  #link: Link | undefined;

  constructor(network: MemoryNetwork, member: string, options: LinkOptions) {
    this.#network = network;
    this.member = member;
    this.#options = options;
    this.#negotiation = new Negotiation(options.initiator);
    this.connected = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.connected.catch(() => undefined);
    const { connectTimeoutMs } = options;
    this.#timer = setTimeout(
      () =>
        this.destroy(
          new ConnectionError('connect-timeout', `no connection within ${connectTimeoutMs} ms`),
        ),
      connectTimeoutMs,
    );
    if (options.initiator) setTimeout(() => this.#offer(), 0);
  }

  hear(signal: LinkSignal): void {
    if (this.#state === 'ended') throw new SignalError('wrong-state', 'the link has ended');
    for (const step of this.#negotiation.hear(signal)) this.#take(step);
  }

  restart(): void {
    if (this.#state === 'ended') return;
    if (!this.#options.initiator) this.#tell({ type: 'restart' });
    else if (this.#negotiation.offer !== undefined) this.#offer();
  }

  destroy(error?: Error): void {
    const state = this.#state;
    if (state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#timer);
    this.#network.forget(this);
    this.#link?.channel.destroy(error);
    this.#reject(error ?? new ConnectionError('closed', 'the link was closed'));
  }

  stand(end: LineEnd): void {
    this.#state = 'connected';
    clearTimeout(this.#timer);
    void end.channel.ended.then(() => this.destroy());
    this.#link = end;
    this.#resolve(end);
  }

  /** Each side has the other's description, and one of them a candidate that serves. */
  tryToConnect(): void {
    const other = this.#other;
    if (other === undefined || other.#other !== this || !(this.#canReach || other.#canReach))
      return;
    if (this.#state !== 'connecting' || other.#state !== 'connecting') return;
    if (this.#network.isCut(this.member, other.member)) return;
    this.#network.join(this, other);
  }

  #take(step: NegotiationStep): void {
    switch (step.do) {
      case 'answer':
        this.#meet(step.sdp);
        this.#describe((sdp) => ({ type: 'answer', sdp, to: step.to }));
        break;
      case 'accept':
        this.#meet(step.sdp);
        break;
      case 'add':
        this.#canReach = true;
        break;
      case 'restart':
        this.restart();
        break;
    }
    this.tryToConnect();
  }

  #meet(sdp: string): void {
    this.#other = this.#network.attemptOf(ufragOf(sdp));
  }

  #offer(): void {
    this.#describe((sdp) => ({ type: 'offer', sdp }));
  }

  #describe(signalOf: (sdp: string) => TrickleSignal): void {
    if (this.#state === 'ended') return;
    const ufrag = this.#network.introduce(this);
    const lines = [
      'v=0',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
      `a=ice-ufrag:${ufrag}`,
      'a=ice-pwd:memory',
      'a=fingerprint:sha-256 00',
    ];
    this.#tell(signalOf(lines.join('\r\n')));
    for (let i = 1; i <= CANDIDATES; i++) {
      const candidate = `candidate:${i} 1 udp ${i} 127.0.0.1 9 typ host`;
      this.#tell({ type: 'candidate', candidate, ufrag });
    }
  }

  #tell(signal: TrickleSignal): void {
    this.#options.tell(this.#negotiation.say(signal));
  }
}

interface LineEnd extends Link {
  readonly channel: MemoryChannel;
}

/** What joins two members: a channel and a control port that lose nothing, and datagrams. */
class Line {
  readonly pair: string;
  readonly ends: readonly [LineEnd, LineEnd];
  readonly ended: Promise<void>;
  readonly #network: MemoryNetwork;
  readonly #reliable: readonly MemoryChannel[];
  #isCut = false;
  #givingUp: ReturnType<typeof setTimeout> | undefined;

  constructor(network: MemoryNetwork, pair: string) {
    this.#network = network;
    this.pair = pair;
    const { random } = network;
    const { maxDelayMs } = network.options;
    const channels = createMemoryChannelPair({ maxDelayMs, seed: random.below(2 ** 31) });
    const controls = createMemoryChannelPair({
      maxDelayMs,
      seed: random.below(2 ** 31),
      maxFrameBytes: MAX_PORT_MESSAGE_BYTES,
      highWaterMark: MAX_CONTROL_BYTES,
    });
    this.#reliable = [...channels, ...controls];
    const datagrams = [this.#datagramPort(), this.#datagramPort()] as const;
    datagrams.forEach((port, side) => (port.other = datagrams[1 - side]));
    this.ends = [0, 1].map((side) => ({
      channel: channels[side]!,
      control: new ControlPort(controls[side]!, (error) => channels[side]!.destroy(error)),
      datagrams: datagrams[side]!,
    })) as unknown as [LineEnd, LineEnd];
    for (const [side, channel] of channels.entries()) {
      void channel.ended.then(() => {
        controls[side]!.destroy();
        datagrams[side]!.end();
      });
    }
    this.ended = Promise.all(channels.map((channel) => channel.ended)).then(() => {
      clearTimeout(this.#givingUp);
    });
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const channel of this.#reliable) channel.hold();
    this.#givingUp = setTimeout(
      () => this.#reliable.forEach((channel) => channel.cut()),
      this.#network.options.goneAfterMs,
    );
  }

  heal(): void {
    this.#isCut = false;
    clearTimeout(this.#givingUp);
    for (const channel of this.#reliable) channel.release();
  }

  #datagramPort(): DatagramPort {
    return new DatagramPort(this.#network, () => this.#isCut);
  }
}

class ControlPort implements Port {
  readonly #channel: MemoryChannel;
  readonly #failed: (error: Error) => void;

  constructor(channel: MemoryChannel, failed: (error: Error) => void) {
    this.#channel = channel;
    this.#failed = failed;
  }

  send(message: Uint8Array): boolean {
    checkFrameSize(message.byteLength, MAX_PORT_MESSAGE_BYTES);
    if (this.#channel.congested) {
      this.#failed(new ConnectionError('peer-gone', 'too much waits for the peer'));
      return false;
    }
    try {
      this.#channel.send(message);
      return true;
    } catch {
      // It is closed.
      return false;
    }
  }

  listen(handler: (message: Uint8Array) => void): void {
    this.#channel.start({
      frame: (message) => handler(message as Uint8Array),
      closed: () => undefined,
    });
  }
}

class DatagramPort implements Port {
  other: DatagramPort | undefined;
  readonly #network: MemoryNetwork;
  readonly #isCut: () => boolean;
  #early: Uint8Array[] = [];
  #handler: ((message: Uint8Array) => void) | undefined;
  #bytesOnTheWay = 0;
  #ended = false;

  constructor(network: MemoryNetwork, isCut: () => boolean) {
    this.#network = network;
    this.#isCut = isCut;
  }

  send(message: Uint8Array): boolean {
    checkFrameSize(message.byteLength, MAX_PORT_MESSAGE_BYTES);
    const bytes = message.byteLength;
    if (this.#ended || this.#bytesOnTheWay + bytes > MAX_DATAGRAM_BYTES) return false;
    const { random, options } = this.#network;
    if (random.below(100) < options.datagramLossPercent) return true;
    const copy = message.slice();
    this.#bytesOnTheWay += bytes;
    setTimeout(
      () => {
        this.#bytesOnTheWay -= bytes;
        if (!this.#isCut()) this.other?.arrive(copy);
      },
      random.below(options.maxDelayMs + 1),
    );
    return true;
  }

  listen(handler: (message: Uint8Array) => void): void {
    this.#handler = handler;
    for (const message of this.#early.splice(0)) this.arrive(message);
  }

  arrive(message: Uint8Array): void {
    if (this.#ended) return;
    if (this.#handler !== undefined) this.#handler(message);
    else if (this.#early.length < 64) this.#early.push(message);
  }

  end(): void {
    this.#ended = true;
  }
}

function pairOf(one: string, other: string): string {
  return JSON.stringify([one, other].sort());
}
