/**
 * What a client and the signaling server say to each other: one JSON object per text frame of a
 * WebSocket with the subprotocol SIGNALING_PROTOCOL. The server relays `data` between members of a
 * room and reads nothing in it.
 *
 * A member is known to a server by an address of its own making, the hash of a proof. Whoever shows
 * the same proof again, after a connection was lost, takes the place of the former self at once;
 * nobody else can.
 */

export const SIGNALING_PROTOCOL = 'emberlink.signal.1';

/** The largest frame that either side sends, in UTF-8 bytes, unless the server is told otherwise. */
export const DEFAULT_MAX_MESSAGE_BYTES: number = 64 * 1024;

export type ClientMessage =
  /**
   * Become a member of a room, which is the first message about it. The address is the first 22
   * characters of the base64url of the SHA-256 of the proof's ASCII.
   */
  | {
      readonly type: 'join';
      readonly room: string;
      readonly proof: string;
      readonly token?: string | undefined;
    }
  /** Be a member no more. */
  | { readonly type: 'leave'; readonly room: string }
  /** To one other member of a room that one is in. */
  | { readonly type: 'send'; readonly room: string; readonly to: string; readonly data: string }
  /** Asks for a `pong`: browsers neither send nor see the pings of WebSocket itself. */
  | { readonly type: 'ping' };

export type ServerMessage =
  /** The first message of every connection. */
  | { readonly type: 'welcome'; readonly maxMessageBytes: number; readonly roomsPerSocket: number }
  /** The answer to `join`: one's own address, and those of the others. */
  | {
      readonly type: 'joined';
      readonly room: string;
      readonly member: string;
      readonly members: readonly string[];
      /** STUN and TURN servers that the operator provides, and how long their credentials serve. */
      readonly iceServers?: readonly IceServer[] | undefined;
      readonly iceTtlSeconds?: number | undefined;
    }
  /** A member came. One who came again has a new connection, and may have missed messages. */
  | { readonly type: 'entered'; readonly room: string; readonly member: string }
  | { readonly type: 'left'; readonly room: string; readonly member: string }
  | {
      readonly type: 'message';
      readonly room: string;
      readonly from: string;
      readonly data: string;
    }
  /** One's last message was refused; see CLOSE_CODES for what else follows. */
  | {
      readonly type: 'error';
      readonly code: SignalingErrorCode;
      readonly message: string;
      readonly room?: string | undefined;
      readonly to?: string | undefined;
    }
  /** The server is about to stop: come back after this long, plus a random part of it. */
  | { readonly type: 'drain'; readonly retryMs: number }
  | { readonly type: 'pong' };

export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
}

/** Why a message was refused. */
export type SignalingErrorCode =
  /** Not JSON, no known type, a field missing or out of bounds, a binary frame. */
  | 'malformed'
  /** More messages, or bytes, than the server's rate allows. */
  | 'rate-limited'
  /** No token, or one that is not valid. */
  | 'unauthorized'
  /** A valid token, but not for this room. */
  | 'room-not-allowed'
  | 'room-full'
  | 'too-many-rooms'
  /** About a room that one is not in. */
  | 'not-a-member'
  /** To an address that is not in the room, or not any more. */
  | 'no-such-member'
  /** Another connection has shown the same proof: this one has lost its place. */
  | 'replaced'
  /** The server cannot serve just now. */
  | 'unavailable';

/** The close code with which the connection ends after an error; undefined where it goes on. */
export const CLOSE_CODES: Readonly<Record<SignalingErrorCode, number | undefined>> = {
  malformed: 1008,
  'rate-limited': 1008,
  unauthorized: undefined,
  'room-not-allowed': undefined,
  'room-full': undefined,
  'too-many-rooms': undefined,
  'not-a-member': undefined,
  'no-such-member': undefined,
  replaced: undefined,
  unavailable: undefined,
};

const PLAIN_SEND =
  /^\{"type":"send","room":"([\w-]{1,64})","to":"([\w-]{22})","data":"([\w-]*)"\}$/;
const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
const MEMBER_PATTERN = /^[A-Za-z0-9_-]{22}$/;
const PROOF_PATTERN = /^[A-Za-z0-9_-]{43}$/;
const DATA_PATTERN = /^[A-Za-z0-9_-]*$/;
const ICE_URL_PATTERN = /^(?:stun|turn)s?:[^\s]{1,256}$/;
const MAX_TOKEN_CHARACTERS = 8192;
const MAX_TEXT_CHARACTERS = 1024;
const MAX_ICE_SERVERS = 8;
/** The most URLs of one entry of `iceServers`. */
export const MAX_ICE_URLS = 8;
/** The most members that a list of them has. */
export const MAX_LISTED_MEMBERS = 4096;

/**
 * Nearly all that comes: a `send` as `JSON.stringify` writes it, of which every byte is ASCII; undefined
 * for anything else. To read it so, and check it, takes a fraction of the time of JSON.
 */
export function parsePlainSend(text: string): ClientMessage | undefined {
  const [, room, to, data] = PLAIN_SEND.exec(text) ?? [];
  return room === undefined ? undefined : { type: 'send', room, to: to!, data: data! };
}

/** The message in a text frame, or why it is none. */
export function parseClientMessage(text: string): ClientMessage | { readonly malformed: string } {
  const fields = readObject(text);
  if (fields === undefined) return { malformed: 'not a JSON object' };
  const { type, room } = fields;
  switch (type) {
    case 'ping':
      return { type };
    case 'join': {
      const { proof, token } = fields;
      if (!matches(room, ROOM_PATTERN)) return { malformed: 'join: bad room' };
      if (!matches(proof, PROOF_PATTERN)) return { malformed: 'join: bad proof' };
      if (token !== undefined && !isText(token, MAX_TOKEN_CHARACTERS)) {
        return { malformed: 'join: bad token' };
      }
      return { type, room, proof, token };
    }
    case 'leave':
      if (!matches(room, ROOM_PATTERN)) return { malformed: 'leave: bad room' };
      return { type, room };
    case 'send': {
      const { to, data } = fields;
      if (!matches(room, ROOM_PATTERN)) return { malformed: 'send: bad room' };
      if (!isAddress(to)) return { malformed: 'send: bad to' };
      if (!isData(data)) return { malformed: 'send: data must be base64url' };
      return { type, room, to, data };
    }
    default:
      return { malformed: 'unknown type' };
  }
}

/** The message in a text frame; undefined for anything else, which a client passes over. */
export function parseServerMessage(text: string): ServerMessage | undefined {
  const fields = readObject(text);
  if (fields === undefined) return undefined;
  const { type, room, member } = fields;
  switch (type) {
    case 'pong':
      return { type };
    case 'drain':
      return isCount(fields['retryMs']) ? { type, retryMs: fields['retryMs'] } : undefined;
    case 'welcome': {
      const { maxMessageBytes, roomsPerSocket } = fields;
      if (!isCount(maxMessageBytes) || !isCount(roomsPerSocket)) return undefined;
      return { type, maxMessageBytes, roomsPerSocket };
    }
    case 'joined': {
      const { members, iceServers, iceTtlSeconds } = fields;
      if (!matches(room, ROOM_PATTERN) || !isAddress(member)) return undefined;
      if (!Array.isArray(members) || members.length > MAX_LISTED_MEMBERS) return undefined;
      if (!members.every((each): each is string => isAddress(each))) return undefined;
      if (iceTtlSeconds !== undefined && !isCount(iceTtlSeconds)) return undefined;
      const ice = iceServers === undefined ? undefined : readIceServers(iceServers);
      return { type, room, member, members, iceServers: ice, iceTtlSeconds };
    }
    case 'entered':
    case 'left':
      if (!matches(room, ROOM_PATTERN) || !isAddress(member)) return undefined;
      return { type, room, member };
    case 'message': {
      const { from, data } = fields;
      if (!matches(room, ROOM_PATTERN) || !isAddress(from)) return undefined;
      return isData(data) ? { type, room, from, data } : undefined;
    }
    case 'error': {
      const { code, message, to } = fields;
      if (typeof code !== 'string' || !isErrorCode(code)) return undefined;
      if (!isText(message, MAX_TEXT_CHARACTERS)) return undefined;
      return {
        type,
        code,
        message,
        room: matches(room, ROOM_PATTERN) ? room : undefined,
        to: isAddress(to) ? to : undefined,
      };
    }
    default:
      return undefined;
  }
}

/** A STUN or TURN server's URL, as `iceServers` may hold. */
export function isIceUrl(value: unknown): value is string {
  return matches(value, ICE_URL_PATTERN);
}

/** Whether it may be a member's address. */
export function isAddress(value: unknown): value is string {
  return matches(value, MEMBER_PATTERN);
}

/** Whether it may be the data of a message, its length apart. */
export function isData(value: unknown): value is string {
  return matches(value, DATA_PATTERN);
}

// --- fields ---

/** The fields of a JSON object; undefined for anything else. */
export function readObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Servers that are not usable are left out: a connection may well come about without them. */
function readIceServers(value: unknown): IceServer[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_ICE_SERVERS).flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { urls, username, credential } = entry as Record<string, unknown>;
    if (!Array.isArray(urls) || urls.length === 0 || urls.length > MAX_ICE_URLS) return [];
    if (!urls.every((url) => isIceUrl(url))) return [];
    if (username === undefined && credential === undefined) return [{ urls }];
    if (!isText(username, MAX_TEXT_CHARACTERS) || !isText(credential, MAX_TEXT_CHARACTERS)) {
      return [];
    }
    return [{ urls, username, credential }];
  });
}

function isErrorCode(code: string): code is SignalingErrorCode {
  return Object.hasOwn(CLOSE_CODES, code);
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isText(value: unknown, maxCharacters: number): value is string {
  return typeof value === 'string' && value.length <= maxCharacters;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
