import { randomUUID } from 'node:crypto';
import type { Broker, BrokerWord } from './broker.ts';
import type { ServerMessage, SignalingErrorCode } from './messages.ts';

/** A connection, as far as rooms know it. */
export interface Client {
  /** Its places by room; rooms keep this. */
  readonly seats: Map<string, Seat>;
  /** Sends a text frame, or drops it when the connection is at its end. It never throws. */
  deliver(text: string): void;
}

/** One client's place in one room. */
export interface Seat {
  readonly client: Client;
  readonly member: string;
  /** By `Date.now`; undefined for as long as it likes. */
  untilMs: number | undefined;
}

interface Room {
  readonly id: string;
  /** By member, those that are connected here. */
  readonly seats: Map<string, Seat>;
  /** By member, the server that each of the others is connected to. */
  readonly servers: Map<string, string>;
  /** By server, in how many sweeps it has said nothing. */
  readonly silences: Map<string, number>;
  readonly unsubscribe: () => void;
}

/** Sweeps in which a server must say something of a room that it has members in. */
const MAX_SILENT_SWEEPS = 3;

/**
 * Who is in which room, and the way of every message to them. Members of this server hear each other
 * at once; a broker, where there is one, is told after that and never waited for.
 */
export class Rooms {
  readonly #rooms = new Map<string, Room>();
  readonly #maxMembers: number;
  readonly #broker: Broker | undefined;
  /** This server's name among those of the broker. */
  readonly #server: string = randomUUID();
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
    if (former !== undefined) this.#replace(room, former);
    room.servers.delete(member);
    const seat = { client, member, untilMs };
    room.seats.set(member, seat);
    client.seats.set(id, seat);
    this.#members++;
    tellAll(room, { type: 'entered', room: id, member }, member);
    this.#broker?.publish(id, { type: 'entered', server: this.#server, member });
    return membersBeside(room, member);
  }

  /** Whether the client was in the room. */
  leave(client: Client, id: string): boolean {
    const seat = client.seats.get(id);
    const room = this.#rooms.get(id);
    if (seat === undefined || room === undefined) return false;
    this.#vacate(room, seat);
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
    const from = client.seats.get(id)?.member;
    const room = this.#rooms.get(id);
    if (from === undefined || room === undefined) return 'not-a-member';
    const seat = room.seats.get(to);
    if (seat !== undefined) {
      seat.client.deliver(messageText(id, from, data));
    } else if (room.servers.has(to)) {
      this.#broker?.publish(id, { type: 'message', server: this.#server, from, to, data });
    } else {
      return 'no-such-member';
    }
    return undefined;
  }

  /** What has to be looked at now and then: places whose time is up, and servers that vanished. */
  sweep(nowMs: number): void {
    for (const room of this.#rooms.values()) {
      for (const seat of room.seats.values()) {
        if (seat.untilMs !== undefined && seat.untilMs <= nowMs) this.#expire(room, seat);
      }
      if (this.#broker !== undefined && room.seats.size > 0) this.#sweepServers(room, this.#broker);
    }
  }

  // --- seats ---

  #open(id: string): Room {
    const room: Room = {
      id,
      seats: new Map(),
      servers: new Map(),
      silences: new Map(),
      unsubscribe: this.#broker?.subscribe(id, (word) => this.#hear(room, word)) ?? NOTHING_TO_END,
    };
    this.#rooms.set(id, room);
    this.#broker?.publish(id, { type: 'who', server: this.#server });
    return room;
  }

  #closeIfEmpty(room: Room): void {
    if (room.seats.size > 0) return;
    this.#rooms.delete(room.id);
    room.unsubscribe();
  }

  #vacate(room: Room, seat: Seat): void {
    room.seats.delete(seat.member);
    seat.client.seats.delete(room.id);
    this.#members--;
  }

  #replace(room: Room, seat: Seat): void {
    this.#vacate(room, seat);
    seat.client.deliver(
      errorText('replaced', 'the same proof came on another connection', room.id),
    );
  }

  #expire(room: Room, seat: Seat): void {
    this.leave(seat.client, room.id);
    seat.client.deliver(errorText('unauthorized', 'the token has expired', room.id));
  }

  // --- other servers ---

  #hear(room: Room, word: BrokerWord): void {
    room.silences.set(word.server, 0);
    switch (word.type) {
      case 'entered': {
        const seat = room.seats.get(word.member);
        if (seat !== undefined) this.#replace(room, seat);
        room.servers.set(word.member, word.server);
        tellAll(room, { type: 'entered', room: room.id, member: word.member });
        this.#closeIfEmpty(room);
        return;
      }
      case 'left':
        if (room.servers.get(word.member) === word.server) this.#forget(room, word.member);
        return;
      case 'message':
        room.seats.get(word.to)?.client.deliver(messageText(room.id, word.from, word.data));
        return;
      case 'who':
        if (this.#broker !== undefined) this.#sayHere(room, this.#broker);
        return;
      case 'here':
        this.#reconcile(room, word.server, new Set(word.members));
        return;
    }
  }

  /** A list may be older than news of another server's: it adds and removes its own server's only. */
  #reconcile(room: Room, server: string, members: ReadonlySet<string>): void {
    for (const [member, holder] of room.servers) {
      if (holder === server && !members.has(member)) this.#forget(room, member);
    }
    for (const member of members) {
      if (isIn(room, member)) continue;
      room.servers.set(member, server);
      tellAll(room, { type: 'entered', room: room.id, member });
    }
  }

  #forget(room: Room, member: string): void {
    room.servers.delete(member);
    tellAll(room, { type: 'left', room: room.id, member });
  }

  #sayHere(room: Room, broker: Broker): void {
    const members = [...room.seats.keys()];
    broker.publish(room.id, { type: 'here', server: this.#server, members });
  }

  #sweepServers(room: Room, broker: Broker): void {
    this.#sayHere(room, broker);
    for (const [server, sweeps] of room.silences) {
      if (sweeps < MAX_SILENT_SWEEPS) {
        room.silences.set(server, sweeps + 1);
      } else {
        room.silences.delete(server);
        this.#reconcile(room, server, new Set());
      }
    }
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
  return [...room.seats.keys(), ...room.servers.keys()].filter((each) => each !== member);
}

function isIn(room: Room, member: string): boolean {
  return room.seats.has(member) || room.servers.has(member);
}

function sizeOf(room: Room): number {
  return room.seats.size + room.servers.size;
}

const NOTHING_TO_END = (): void => {};
