/**
 * A line to one other person, over WebRTC, that carries what a signaling server would: who is in a
 * room, and sealed messages. Each end is to the other as a server with the members of its own page, so
 * the words are those of servers (`signaling/messages.ts`): `welcome` first, then `entered`, `left` and
 * `message`. Whatever else is said ends the line.
 */
import { parseServerMessage, type ServerMessage } from '../../signaling/messages.ts';
import { ConnectionError, ProtocolError } from '../errors.ts';
import type { Channel, Frame } from '../protocol/channel.ts';
import { asError } from '../status.ts';
import type { Signal } from '../transports/signal.ts';
import { WebRtcLink, type WebRtcOptions } from '../transports/webrtc.ts';

export type PastedLineStatus =
  /** An offer is out; without `text` it is being made. `connect` with the answer to it. */
  | { readonly state: 'offering'; readonly text?: string }
  /** An answer is out, or being made: the other side connects with it. */
  | { readonly state: 'accepting'; readonly text?: string }
  /** Both sides know of each other; the connection is being made. */
  | { readonly state: 'connecting' }
  | { readonly state: 'connected' }
  /** Over: in order without an error. */
  | { readonly state: 'closed'; readonly error?: Error };

export interface LineEvents {
  /** The status is another one. */
  changed(line: Line): void;
  /** The channel stands: who is in rooms at this end should be said now. */
  opened(line: Line): void;
  entered(room: string, member: string): void;
  /** The line says so, or it has ended. */
  left(room: string, member: string): void;
  message(room: string, from: string, data: string): void;
}

/** In characters, which are ASCII: no text on a line is longer. */
export const MAX_LINE_MESSAGE_BYTES: number = 64 * 1024;
/** All rooms together; a page has one or two. */
export const MAX_LINE_MEMBERS = 32;
/** A line on which the other side has not said a word for this long is none. */
const WELCOME_TIMEOUT_MS = 30_000;

type LineMessage = Extract<ServerMessage, { type: 'entered' | 'left' | 'message' }>;

export class Line {
  readonly #events: LineEvents;
  readonly #link: WebRtcLink;
  /** Who is there at the other end, by room. */
  readonly #members = new Map<string, Set<string>>();
  readonly #ended: Promise<void>;
  #resolveEnded!: () => void;
  #status: PastedLineStatus;
  #channel: Channel | undefined;
  #welcomeTimer: ReturnType<typeof setTimeout> | undefined;
  /** What the other side takes; 0 until it has said so. */
  #maxMessageBytes = 0;

  constructor(options: WebRtcOptions, events: LineEvents) {
    this.#events = events;
    this.#status = { state: options.initiator ? 'offering' : 'accepting' };
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#link = new WebRtcLink(options);
    this.#link.connected
      .then((channel) => this.#open(channel))
      .catch((error: unknown) => this.#end(asError(error)));
  }

  get status(): PastedLineStatus {
    return this.#status;
  }

  // --- signals ---

  /** @throws ConnectionError when the line ends before */
  localSignal(): Promise<Signal> {
    return this.#link.localSignal();
  }

  /** The text of its signal, for people to send. */
  told(text: string): void {
    const { state } = this.status;
    if (state === 'offering' || state === 'accepting') this.#set({ state, text });
  }

  /** Takes the other side's offer or answer. */
  acceptSignal(signal: Signal): void {
    this.#link.acceptSignal(signal);
    if (signal.type === 'answer') this.#set({ state: 'connecting' });
  }

  // --- what is said ---

  /** Who is in a room at the other end. */
  membersIn(room: string): Iterable<string> {
    return this.#members.get(room) ?? [];
  }

  /** Says it if the line stands; a message that does not fit is dropped, as on any way that may lose. */
  say(message: LineMessage): void {
    const channel = this.#channel;
    if (channel === undefined || this.status.state === 'closed') return;
    const text = JSON.stringify(message);
    if (message.type === 'message') {
      if (channel.congested || text.length > this.#maxMessageBytes) return;
    }
    sayText(channel, text);
  }

  /** Delivers what was said, then ends. Resolves when it has ended. */
  close(): Promise<void> {
    if (this.#channel === undefined) this.#end();
    else void this.#channel.close();
    return this.#ended;
  }

  // --- inside ---

  #open(channel: Channel): void {
    if (this.status.state === 'closed') {
      channel.destroy();
      return;
    }
    this.#channel = channel;
    this.#set({ state: 'connecting' });
    this.#welcomeTimer = setTimeout(() => {
      channel.destroy(
        new ProtocolError('hello-timeout', 'the other end of the line has not said a word'),
      );
    }, WELCOME_TIMEOUT_MS);
    channel.start({
      frame: (frame) => this.#hear(frame),
      closed: (error) => this.#end(error),
    });
    const welcome = { type: 'welcome', maxMessageBytes: MAX_LINE_MESSAGE_BYTES };
    sayText(channel, JSON.stringify({ ...welcome, roomsPerSocket: MAX_LINE_MEMBERS }));
    this.#events.opened(this);
  }

  /** @throws ProtocolError, which ends the channel */
  #hear(frame: Frame): void {
    const message = readFrame(frame);
    if (this.#maxMessageBytes === 0) {
      if (message.type !== 'welcome') throw unexpected(message.type);
      this.#maxMessageBytes = Math.min(message.maxMessageBytes, MAX_LINE_MESSAGE_BYTES);
      clearTimeout(this.#welcomeTimer);
      this.#set({ state: 'connected' });
      return;
    }
    switch (message.type) {
      case 'entered':
        this.#entered(message.room, message.member);
        return;
      case 'left':
        this.#left(message.room, message.member);
        return;
      case 'message': {
        const { room, from, data } = message;
        if (this.#members.get(room)?.has(from) !== true) throw unexpected('message');
        this.#events.message(room, from, data);
        return;
      }
      case 'welcome':
      case 'joined':
      case 'error':
      case 'drain':
      case 'pong':
        throw unexpected(message.type);
    }
  }

  #entered(room: string, member: string): void {
    const count = [...this.#members.values()].reduce((sum, { size }) => sum + size, 0);
    if (count >= MAX_LINE_MEMBERS) {
      throw new ProtocolError('limit-exceeded', `more than ${MAX_LINE_MEMBERS} members on a line`);
    }
    let members = this.#members.get(room);
    if (members === undefined) {
      members = new Set();
      this.#members.set(room, members);
    }
    members.add(member);
    this.#events.entered(room, member);
  }

  #left(room: string, member: string): void {
    const members = this.#members.get(room);
    if (members?.delete(member) !== true) throw unexpected('left');
    if (members.size === 0) this.#members.delete(room);
    this.#events.left(room, member);
  }

  #set(status: PastedLineStatus): void {
    if (this.status.state === 'closed') return;
    this.#status = status;
    this.#events.changed(this);
  }

  #end(error?: Error): void {
    if (this.status.state === 'closed') return;
    clearTimeout(this.#welcomeTimer);
    this.#link.destroy();
    const gone = [...this.#members].flatMap(([room, members]) =>
      [...members].map((member) => [room, member] as const),
    );
    this.#members.clear();
    this.#set(error === undefined ? { state: 'closed' } : { state: 'closed', error });
    for (const [room, member] of gone) this.#events.left(room, member);
    this.#resolveEnded();
  }
}

function sayText(channel: Channel, text: string): void {
  try {
    channel.send(text);
  } catch (error) {
    // It has just ended, and tells so by itself.
    if (!(error instanceof ConnectionError)) throw error;
  }
}

/** @throws ProtocolError for what no line says */
function readFrame(frame: Frame): ServerMessage {
  if (frame.length > MAX_LINE_MESSAGE_BYTES) {
    throw new ProtocolError('frame-too-large', `${frame.length} characters in one text on a line`);
  }
  const message = typeof frame === 'string' ? parseServerMessage(frame) : undefined;
  if (message !== undefined) return message;
  throw new ProtocolError(
    'malformed-frame',
    'not what a line says: the other side may be a Sync instead of a PastedSignaling',
  );
}

function unexpected(type: string): ProtocolError {
  return new ProtocolError('unexpected-message', `${type} comes at the wrong time on a line`);
}
