import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { Authorize, Verdict } from './auth.ts';
import type { Counts } from './counts.ts';
import { type AddressUse, type Allowance, connectionAllowance } from './limits.ts';
import {
  CLOSE_CODES,
  type ClientMessage,
  parseClientMessage,
  parsePlainSend,
  type ServerMessage,
  type SignalingErrorCode,
} from './messages.ts';
import { type Client, errorText, type Rooms, type Seat, textOf } from './rooms.ts';
import type { SignalingSettings } from './settings.ts';
import { textFrame } from './text-frame.ts';
import { iceOffer } from './turn.ts';

/** What all connections of a server share. */
export interface Shared {
  readonly settings: SignalingSettings;
  readonly rooms: Rooms;
  readonly counts: Counts;
  readonly authorize: Authorize;
  readonly log: Logger;
  /** Whether the server is about to stop. */
  readonly isDraining: () => boolean;
}

type Join = Extract<ClientMessage, { type: 'join' }>;

/** Frames that are passed over after a refusal that ends the connection, before it is cut. */
const MAX_IGNORED_FRAMES = 100;

const PONG = textOf({ type: 'pong' });

/**
 * One client's connection. Whatever it sends, and whatever goes wrong on account of that, ends at most
 * this connection: nothing throws into the socket's events.
 */
export class Connection implements Client {
  readonly seats: Map<string, Seat> = new Map();
  readonly #socket: WebSocket;
  /** Below the socket: what is written here whole stands between its own frames. */
  readonly #stream: Duplex;
  readonly #shared: Shared;
  readonly #use: AddressUse;
  /** Where the client is, roughly enough for logs. */
  readonly #place: string;
  readonly #allowance: Allowance;
  /** Messages that came while a token is looked at: as many as the rate allows. */
  readonly #waiting: ClientMessage[] = [];
  #isJoining = false;
  #isEnding = false;
  #ignored = 0;
  #isAlive = true;
  #inNoRoomSinceMs: number | undefined;

  constructor(socket: WebSocket, stream: Duplex, use: AddressUse, place: string, shared: Shared) {
    const nowMs = performance.now();
    this.#socket = socket;
    this.#stream = stream;
    this.#use = use;
    this.#place = place;
    this.#shared = shared;
    this.#allowance = connectionAllowance(shared.settings, nowMs);
    this.#inNoRoomSinceMs = nowMs;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', () => this.#take(0));
    socket.on('pong', () => this.#take(0));
    // The socket closes itself, with the code that fits (1009 for a frame that is too large).
    socket.on('error', (error) => {
      shared.counts.badFrames++;
      shared.log.debug({ reason: error.message }, 'bad frame');
    });
    socket.on('close', () => {
      this.#isEnding = true;
      shared.rooms.leaveAll(this);
    });
    const { maxMessageBytes, maxRoomsPerSocket: roomsPerSocket } = shared.settings;
    this.say({ type: 'welcome', maxMessageBytes, roomsPerSocket });
  }

  say(message: ServerMessage): void {
    this.deliver(textOf(message));
  }

  deliver(text: string, isAscii = false): void {
    const { settings, counts, log } = this.#shared;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const unsentBytes = this.#stream.writableLength;
    if (unsentBytes > settings.maxUnsentBytes) {
      counts.slowReaders++;
      log.warn({ place: this.#place, unsentBytes }, 'slow reader ended');
      this.terminate();
      return;
    }
    this.#stream.write(textFrame(text, isAscii));
  }

  /** Ends it in order. */
  close(code: number, reason: string): void {
    this.#isEnding = true;
    this.#socket.close(code, reason);
  }

  /** Ends it at once. */
  terminate(): void {
    this.#isEnding = true;
    this.#socket.terminate();
  }

  /** At every heartbeat: asks whether the client is there, and ends what is dead or idle. */
  beat(nowMs: number): void {
    const { settings, counts, log } = this.#shared;
    if (!this.#isAlive) {
      counts.halfOpen++;
      log.debug('no answer to a ping');
      this.terminate();
      return;
    }
    this.#isAlive = false;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
    this.#inNoRoomSinceMs = this.seats.size > 0 ? undefined : (this.#inNoRoomSinceMs ?? nowMs);
    if (nowMs - (this.#inNoRoomSinceMs ?? nowMs) > settings.idleSeconds * 1000 && !this.#isEnding) {
      counts.idle++;
      this.close(1000, 'in no room');
    }
  }

  // --- what comes in ---

  #receive(data: RawData, isBinary: boolean): void {
    try {
      // The socket is set to hand over whole messages as one Buffer.
      const bytes = data as Buffer;
      if (!this.#take(bytes.length)) return;
      if (isBinary) return this.#refuse('malformed', 'binary frame');
      const plain = parsePlainSend(bytes.toString('latin1'));
      const message = plain ?? parseClientMessage(bytes.toString('utf8'));
      if ('malformed' in message) return this.#refuse('malformed', message.malformed);
      if (this.#isJoining) this.#waiting.push(message);
      else this.#handle(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Whether a frame may be looked at. */
  #take(bytes: number): boolean {
    this.#isAlive = true;
    if (this.#isEnding) {
      if (++this.#ignored > MAX_IGNORED_FRAMES) this.terminate();
      return false;
    }
    const nowMs = performance.now();
    if (this.#allowance.take(bytes, nowMs) && this.#use.allowance.take(bytes, nowMs)) return true;
    this.#refuse('rate-limited', 'more than the rate of this server allows');
    return false;
  }

  #handle(message: ClientMessage): void {
    switch (message.type) {
      case 'join':
        return this.#join(message);
      case 'leave':
        if (!this.#shared.rooms.leave(this, message.room)) {
          this.#refuse('not-a-member', 'leave: not in this room', message.room);
        }
        return;
      case 'send':
        return this.#send(message.room, message.to, message.data);
      case 'ping':
        return this.deliver(PONG);
    }
  }

  #send(room: string, to: string, data: string): void {
    const { rooms, counts } = this.#shared;
    const refusal = rooms.send(this, room, to, data);
    if (refusal === undefined) {
      counts.messagesRelayed++;
      counts.bytesRelayed += data.length;
    } else {
      this.#refuse(refusal, `send: ${refusal}`, room, to);
    }
  }

  #join(message: Join): void {
    const { settings, authorize, isDraining } = this.#shared;
    const { room, token } = message;
    if (isDraining()) return this.#refuse('unavailable', 'the server is about to stop', room);
    if (!this.seats.has(room) && this.seats.size >= settings.maxRoomsPerSocket) {
      this.#refuse('too-many-rooms', `at most ${settings.maxRoomsPerSocket} at a time`, room);
      return;
    }
    const verdict = authorize(token, room);
    if (!(verdict instanceof Promise)) return this.#seat(message, verdict);
    this.#isJoining = true;
    verdict
      .then((reached) => {
        this.#isJoining = false;
        if (!this.#isEnding) this.#seat(message, reached);
        while (!this.#isJoining && !this.#isEnding && this.#waiting.length > 0) {
          this.#handle(this.#waiting.shift()!);
        }
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #seat({ room, proof }: Join, verdict: Verdict): void {
    const { settings, rooms } = this.#shared;
    if (!verdict.allowed) return this.#refuse(verdict.code, verdict.message, room);
    const member = memberOf(proof);
    const members = rooms.join(this, room, member, verdict.untilMs);
    if (members === undefined) {
      const full = `it has ${settings.maxMembersPerRoom} members`;
      return this.#refuse('room-full', full, room);
    }
    this.say({ type: 'joined', room, member, members, ...iceOffer(settings, member, Date.now()) });
  }

  // --- ends ---

  #refuse(code: SignalingErrorCode, message: string, room?: string, to?: string): void {
    const { counts, log } = this.#shared;
    counts.refusals[code]++;
    const closeCode = CLOSE_CODES[code];
    const line = { place: this.#place, code, reason: message };
    if (closeCode === undefined) log.debug(line, 'refused');
    else log.info(line, 'refused and closed');
    this.deliver(errorText(code, message, room, to));
    if (closeCode !== undefined) this.close(closeCode, code);
  }

  /** A fault of ours: it costs this client its connection, and nobody else anything. */
  #fail(error: unknown): void {
    const { counts, log } = this.#shared;
    counts.failures++;
    log.error({ err: error }, 'failure in a connection');
    this.close(1011, 'internal error');
  }
}

/** The address of whoever has this proof. */
function memberOf(proof: string): string {
  return createHash('sha256').update(proof, 'ascii').digest('base64url').slice(0, 22);
}
