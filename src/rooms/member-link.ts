import type { Channel, ChannelHandlers } from '../protocol/channel.ts';
import type { Replica } from '../protocol/replica.ts';
import { Session, type SessionOptions, type SessionState } from '../protocol/session.ts';
import { WrappedChannel } from '../protocol/wrapped-channel.ts';
import { ConnectionError } from '../errors.ts';
import { asError } from '../status.ts';
import { type Link, MAX_PORT_MESSAGE_BYTES } from './link.ts';
import { decodeMemberMessage, encodeMemberMessage, type MemberMessage } from './member-messages.ts';

export interface MemberLinkEvents {
  /** All but beats, which are this link's own. */
  heard(message: MemberMessage): void;
  /** The state of its session. */
  changed(): void;
  /** Whether the other side wants it. */
  wanted(): void;
  /** Once: without an error when either side ended it in order. */
  ended(error?: Error): void;
}

/** A link with a member that stands: the session over it, and what goes beside that. */
export class MemberLink {
  readonly session: Session;
  readonly since: number = performance.now();
  /** When anything came last, on any of its channels: milliseconds as of `performance.now`. */
  lastHeard: number = performance.now();
  /** How long a message takes there and back, in milliseconds; undefined before the first echo. */
  roundTripMs: number | undefined;
  /** Whether the other side would make this link again. */
  isWanted = true;

  readonly #link: Link;
  readonly #events: MemberLinkEvents;
  #theirBeat: { readonly at: number; readonly heardAt: number } | undefined;

  constructor(link: Link, replica: Replica, options: SessionOptions, events: MemberLinkEvents) {
    this.#link = link;
    this.#events = events;
    const channel = new WatchedChannel(link.channel, () => {
      this.lastHeard = performance.now();
    });
    this.session = new Session(channel, replica, options);
    this.session.subscribe(() => events.changed());
    link.control.listen((message) => this.#hear(message));
    link.datagrams?.listen((message) => this.#hear(message));
    this.session.run().then(
      () => events.ended(),
      (error: unknown) => events.ended(asError(error)),
    );
  }

  get state(): SessionState {
    return this.session.state;
  }

  /** Sends it in order, and reliably. */
  send(message: MemberMessage): void {
    this.sendBytes(encodeMemberMessage(message));
  }

  /** @param isLossy true for what is worth nothing later; it goes reliably where there is no other way */
  sendBytes(message: Uint8Array, isLossy = false): void {
    const { datagrams, control } = this.#link;
    if (isLossy && datagrams !== undefined) datagrams.send(message);
    else control.send(message);
  }

  /** A sign of life. @param wanted whether this side would make the link again */
  beat(wanted: boolean): void {
    const now = performance.now();
    const theirs = this.#theirBeat;
    const message: MemberMessage = {
      kind: 'beat',
      at: now,
      echo: theirs?.at ?? 0,
      heldMs: theirs === undefined ? 0 : now - theirs.heardAt,
      wanted,
    };
    const bytes = encodeMemberMessage(message);
    if (this.#link.datagrams?.send(bytes) !== true) this.#link.control.send(bytes);
  }

  /** Ends it when what was written before is delivered, or that takes too long. */
  close(): Promise<void> {
    return this.session.close();
  }

  /** Ends it at once. */
  destroy(reason: string): void {
    this.session.destroy(new ConnectionError('peer-gone', reason));
  }

  #hear(bytes: Uint8Array): void {
    try {
      if (bytes.length > MAX_PORT_MESSAGE_BYTES) throw new RangeError('a message beyond the limit');
      const message = decodeMemberMessage(bytes);
      // Said before the session's end, it may come after it: by another channel.
      if (this.state.kind === 'ended' && message.kind !== 'leaving') return;
      this.lastHeard = performance.now();
      if (message.kind === 'beat') this.#hearBeat(message);
      else this.#events.heard(message);
    } catch (error) {
      this.session.destroy(asError(error));
    }
  }

  #hearBeat(beat: MemberMessage & { kind: 'beat' }): void {
    const now = performance.now();
    this.#theirBeat = { at: beat.at, heardAt: now };
    if (beat.echo > 0) {
      const measured = Math.max(0, now - beat.echo - beat.heldMs);
      const before = this.roundTripMs ?? measured;
      this.roundTripMs = before + (measured - before) / 4;
    }
    if (beat.wanted === this.isWanted) return;
    this.isWanted = beat.wanted;
    this.#events.wanted();
  }
}

/** Tells of each frame that comes: a peer that sends bulk is alive, however late its beats are. */
class WatchedChannel extends WrappedChannel {
  readonly #onFrame: () => void;

  constructor(channel: Channel, onFrame: () => void) {
    super(channel);
    this.#onFrame = onFrame;
  }

  override start(handlers: ChannelHandlers): void {
    super.start({
      frame: (frame) => {
        this.#onFrame();
        handlers.frame(frame);
      },
      closed: (error) => handlers.closed(error),
    });
  }
}
