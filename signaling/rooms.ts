import { randomBytes } from 'node:crypto';
import type { Broker, BrokerListener, RoomWord, ServerWord } from './broker.ts';
import { inTurns } from './in-turns.ts';
import type { ServerMessage, SignalingErrorCode } from './messages.ts';
import { SharedClock } from './shared-clock.ts';

/** A connection, as far as rooms know it. */
export interface Client {
  /** Its places by room; rooms keep this. */
  readonly seats: Map<string, Seat>;
  /**
   * Sends a text frame, or drops it when the connection is at its end. It never throws.
   * @param isAscii true for text that is known to be: it costs less
   */
  deliver(text: string, isAscii?: boolean): void;
}

/** One client's place in one room. */
export interface Seat {
  readonly room: Room;
  readonly client: Client;
  readonly member: string;
  /** When it was taken, by the clock that servers share. */
  readonly at: number;
  /** By `Date.now`; undefined for as long as it likes. */
  untilMs: number | undefined;
}

export interface Room {
  readonly id: string;
  /** By member, those that are connected here. */
  readonly seats: Map<string, Seat>;
  /** By member, where each of the others is. */
  readonly others: Map<string, Place>;
}

/** A member's place on a server. */
interface Place {
  readonly server: string;
  readonly at: number;
}

/** Beats in which a server says nothing before its members are gone. */
const MAX_SILENT_BEATS = 3;
/** Servers that are known to have been there. */
const MAX_GONE = 1000;

/**
 * Who is in which room, and the way of every message to them. Members of this server hear each other
 * at once; a broker, where there is one, is told after that and never waited for.
 *
 * Between servers, each is the judge of who is connected to it, and of two that claim a member the one
 * that it joined later has it. Everything that a server says can be lost, since it says all of it again:
 * to whoever asks, when the broker is back, and at every sweep.
 */
export class Rooms implements BrokerListener {
  readonly #rooms = new Map<string, Room>();
  readonly #maxMembers: number;
  readonly #broker: Broker | undefined;
  /** This server's name among those of the broker. */
  readonly #server: string = randomBytes(16).toString('base64url');
  readonly #clock = new SharedClock();
  /** By server, when it was last heard, by `performance.now`. */
  readonly #heardMs = new Map<string, number>();
  /** Those that were given up, as far as they may come back. */
  readonly #gone = new Set<string>();
  #isGreetingDue = false;
  #beatMs: number | undefined;
  #members = 0;

  constructor(maxMembers: number, broker: Broker | undefined) {
    this.#maxMembers = maxMembers;
    this.#broker = broker;
  }

  /** Rooms with members that are connected here. */
  get roomCount(): number {
    return this.#rooms.size;
  }

  /** Places in rooms that connections to this server have. */
  get memberCount(): number {
    return this.#members;
  }

  /**
   * Gives a client a place in a room; one that it has goes on, and one that another client has as the
   * same member is taken from it.
   * @returns the other members, or undefined when the room is full
   */
  join(
    client: Client,
    id: string,
    member: string,
    untilMs: number | undefined,
  ): readonly string[] | undefined {
    let room = this.#rooms.get(id);
    const own = client.seats.get(id);
    if (room !== undefined && own?.member === member) {
      own.untilMs = untilMs;
      return membersBeside(room, member);
    }
    if (room !== undefined && !isIn(room, member)) {
      if (sizeOf(room) - (own === undefined ? 0 : 1) >= this.#maxMembers) return undefined;
    }
    if (own !== undefined) this.leave(client, id);
    room = this.#rooms.get(id) ?? this.#open(id);
    const former = room.seats.get(member);
    if (former !== undefined) this.#replace(former);
    // Later than what is known of the member, however far the clock of that server is ahead.
    this.#clock.hear(room.others.get(member)?.at ?? 0);
    room.others.delete(member);
    const seat = { room, client, member, at: this.#clock.next(), untilMs };
    room.seats.set(member, seat);
    client.seats.set(id, seat);
    this.#members++;
    tellAll(room, { type: 'entered', room: id, member }, member);
    this.#broker?.publish(id, { type: 'entered', server: this.#server, member, at: seat.at });
    return membersBeside(room, member);
  }

  /** Whether the client was in the room. */
  leave(client: Client, id: string): boolean {
    const seat = client.seats.get(id);
    if (seat === undefined) return false;
    const { room } = seat;
    this.#vacate(seat);
    tellAll(room, { type: 'left', room: id, member: seat.member });
    this.#broker?.publish(id, { type: 'left', server: this.#server, member: seat.member });
    this.#closeIfEmpty(room);
    return true;
  }

  leaveAll(client: Client): void {
    for (const id of client.seats.keys()) this.leave(client, id);
  }

  /** Passes data to one other member; else why it could not. */
  send(
    client: Client,
    id: string,
    to: string,
    data: string,
  ): 'not-a-member' | 'no-such-member' | undefined {
    const place = client.seats.get(id);
    if (place === undefined) return 'not-a-member';
    const { room, member: from } = place;
    const seat = room.seats.get(to);
    if (seat !== undefined) {
      seat.client.deliver(messageText(id, from, data), true);
    } else if (room.others.has(to)) {
      this.#broker?.publish(id, { type: 'message', server: this.#server, from, to, data });
    } else {
      return 'no-such-member';
    }
    return undefined;
  }

  /** What has to be done now and then: ends places whose time is up, and says again who is here. */
  async sweep(nowMs: number): Promise<void> {
    await inTurns(this.#rooms.values(), (room) => {
      for (const seat of room.seats.values()) {
        if (seat.untilMs !== undefined && seat.untilMs <= nowMs) this.#expire(seat);
      }
      if (room.seats.size > 0) this.#sayHere(room);
    });
  }

  /**
   * Tells other servers that this one is there, and forgets the members of those that are not.
   * @param nowMs by `performance.now`
   * @param intervalMs how often every server does this
   */
  async beat(nowMs: number, intervalMs: number): Promise<void> {
    this.#broker?.announce({ type: 'alive', server: this.#server, at: this.#clock.next() });
    const sinceMs = nowMs - (this.#beatMs ?? nowMs);
    this.#beatMs = nowMs;
    if (sinceMs > (MAX_SILENT_BEATS - 1) * intervalMs) {
      // This process was stopped: it could hear nobody, and the others may have given it up.
      for (const server of this.#heardMs.keys()) this.#heardMs.set(server, nowMs);
      this.#isGreetingDue = true;
    }
    if (this.#isGreetingDue) await this.up();
    for (const [server, heardMs] of this.#heardMs) {
      if (nowMs - heardMs <= MAX_SILENT_BEATS * intervalMs) continue;
      this.#heardMs.delete(server);
      this.#gone.add(server);
      for (const room of this.#rooms.values()) this.#forgetMissing(room, server, new Set());
    }
    for (const server of this.#gone) {
      if (this.#gone.size > MAX_GONE) this.#gone.delete(server);
    }
  }

  // --- seats ---

  #open(id: string): Room {
    const room: Room = { id, seats: new Map(), others: new Map() };
    this.#rooms.set(id, room);
    this.#broker?.subscribe(id);
    this.#broker?.publish(id, { type: 'who', server: this.#server });
    return room;
  }

  #closeIfEmpty(room: Room): void {
    if (room.seats.size > 0) return;
    this.#rooms.delete(room.id);
    this.#broker?.unsubscribe(room.id);
  }

  #vacate({ room, client, member }: Seat): void {
    room.seats.delete(member);
    client.seats.delete(room.id);
    this.#members--;
  }

  #replace(seat: Seat): void {
    this.#vacate(seat);
    const why = 'the same proof came on another connection';
    seat.client.deliver(errorText('replaced', why, seat.room.id));
  }

  #expire({ client, room }: Seat): void {
    this.leave(client, room.id);
    client.deliver(errorText('unauthorized', 'the token has expired', room.id));
  }

  // --- other servers ---

  async up(): Promise<void> {
    this.#isGreetingDue = false;
    await inTurns(this.#rooms.values(), (room) => {
      this.#broker?.publish(room.id, { type: 'who', server: this.#server });
      this.#sayHere(room);
    });
  }

  hearOfServer({ server, at }: ServerWord): void {
    if (server === this.#server) return;
    this.#clock.hear(at);
    this.#heard(server);
  }

  hearOfRoom(id: string, word: RoomWord): void {
    const room = this.#rooms.get(id);
    if (room === undefined || word.server === this.#server) return;
    this.#heard(word.server);
    switch (word.type) {
      case 'entered':
        this.#place(room, word.member, { server: word.server, at: word.at });
        return;
      case 'left':
        if (room.others.get(word.member)?.server === word.server) this.#forget(room, word.member);
        return;
      case 'message':
        // From a member that is said to be elsewhere it is old, or not true.
        if (room.others.get(word.from)?.server !== word.server) return;
        room.seats.get(word.to)?.client.deliver(messageText(id, word.from, word.data), true);
        return;
      case 'who':
        this.#sayHere(room);
        return;
      case 'here': {
        this.#forgetMissing(room, word.server, new Set(word.members.map(([member]) => member)));
        for (const [member, at] of word.members) {
          this.#place(room, member, { server: word.server, at });
        }
        return;
      }
    }
  }

  #heard(server: string): void {
    this.#heardMs.set(server, performance.now());
    // Its members were forgotten.
    if (this.#gone.delete(server)) this.#isGreetingDue = true;
  }

  /** Believes that a member has that place, unless what is known of it is later, or the same. */
  #place(room: Room, member: string, place: Place): void {
    this.#clock.hear(place.at);
    const seat = room.seats.get(member);
    const known =
      seat === undefined ? room.others.get(member) : { server: this.#server, at: seat.at };
    if (known !== undefined && !isLater(place, known)) return;
    if (seat !== undefined) this.#replace(seat);
    room.others.set(member, place);
    tellAll(room, { type: 'entered', room: room.id, member });
    this.#closeIfEmpty(room);
  }

  /** A server knows who is connected to it: whoever else it is said to have is not there. */
  #forgetMissing(room: Room, server: string, members: ReadonlySet<string>): void {
    for (const [member, place] of room.others) {
      if (place.server === server && !members.has(member)) this.#forget(room, member);
    }
  }

  #forget(room: Room, member: string): void {
    room.others.delete(member);
    tellAll(room, { type: 'left', room: room.id, member });
  }

  #sayHere(room: Room): void {
    if (this.#broker === undefined) return;
    const members = Array.from(room.seats.values(), ({ member, at }) => [member, at] as const);
    this.#broker.publish(room.id, { type: 'here', server: this.#server, members });
  }
}

/** The text of an error for a client. */
export function errorText(
  code: SignalingErrorCode,
  message: string,
  room?: string,
  to?: string,
): string {
  return textOf({ type: 'error', code, message, room, to });
}

export function textOf(message: ServerMessage): string {
  return JSON.stringify(message);
}

/** By hand, as this is what a server does all day: nothing in it can need escaping. */
function messageText(room: string, from: string, data: string): string {
  return `{"type":"message","room":"${room}","from":"${from}","data":"${data}"}`;
}

function tellAll(room: Room, message: ServerMessage, except?: string): void {
  const text = textOf(message);
  for (const { member, client } of room.seats.values()) {
    if (member !== except) client.deliver(text);
  }
}

function membersBeside(room: Room, member: string): string[] {
  return [...room.seats.keys(), ...room.others.keys()].filter((each) => each !== member);
}

function isIn(room: Room, member: string): boolean {
  return room.seats.has(member) || room.others.has(member);
}

function sizeOf(room: Room): number {
  return room.seats.size + room.others.size;
}

/** Two joins at the very same time are of one order on all servers, whichever. */
function isLater(place: Place, known: Place): boolean {
  return place.at > known.at || (place.at === known.at && place.server > known.server);
}
