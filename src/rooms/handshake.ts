/**
 * What both sides of a direct connection say before the session: that they know the room's secret.
 * Three texts of JSON, see PROTOCOL.md:
 *
 *     server  { version, nonce }
 *     client  { room, nonce, proof, token? }
 *     server  { proof, access }  or  { refused, message }
 *
 * Invariant: neither side hands on its channel before the other one has proved what it knows. The
 * client proves it first, so that nobody can ask a server for proofs to try passphrases on.
 */
import { base64url } from 'multiformats/bases/base64';
import { ConnectionError, ProtocolError, RoomError } from '../errors.ts';
import type { Channel, ChannelHandlers, Frame } from '../protocol/channel.ts';
import { WrappedChannel } from '../protocol/wrapped-channel.ts';
import { frameBytes, Inbox } from '../transports/inbox.ts';
import type { RoomKeys } from './keys.ts';

export const HANDSHAKE_VERSION = 1;

/** The largest text of a handshake, in bytes. */
export const MAX_HANDSHAKE_BYTES = 16_384;

/** From the connection to the last word of the handshake. */
export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;

/** What a client may do with the ledger of the room. */
export type Access = 'read' | 'write';

/** Why a server refuses a client. */
export const REFUSALS = [
  'malformed',
  'unknown-room',
  'wrong-secret',
  'unauthorized',
  'timeout',
] as const;
export type Refusal = (typeof REFUSALS)[number];

export interface Admission {
  /** For the session: it begins behind the handshake. */
  readonly channel: Channel;
  readonly access: Access;
}

const CONTEXT = `emberlink handshake ${HANDSHAKE_VERSION}`;
const NONCE_BYTES = 32;
/** 32 bytes in base64url: the last character has two bits to spare, which are zero. */
const NONCE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const PROOF = NONCE;
const ANY = /^/;
/** How long a refused client may take to read of it. */
const REFUSAL_TIMEOUT_MS = 2000;

/**
 * The client's side.
 * @param token sealed with the room's keys before it is sent, for the server's `authorize`
 * @throws RoomError `wrong-secret`, `unauthorized`, `refused`
 * @throws ProtocolError `unsupported-version`, `malformed-frame`, `hello-timeout`
 * @throws ConnectionError when the channel closes before; the channel is destroyed in every case
 */
export async function enterRoom(
  channel: Channel,
  keys: RoomKeys,
  options: { readonly token?: string | undefined; readonly timeoutMs: number },
): Promise<Admission> {
  const hall = new Hall(channel, 2, options.timeoutMs);
  try {
    const { nonce: serverNonce } = readHello(await hall.next());
    const nonce = createNonce();
    const token =
      options.token === undefined
        ? undefined
        : await keys.seal(new TextEncoder().encode(options.token));
    const proof = await keys.prove(clientParts(keys.id, serverNonce, nonce, token));
    hall.say({ room: keys.id, nonce, proof: base64url.baseEncode(proof), token });
    const welcome = readWelcome(await hall.next());
    const parts = serverParts(keys.id, serverNonce, nonce, welcome.access);
    if (!(await keys.verify(base64url.baseDecode(welcome.proof), parts))) throw wrongSecret();
    hall.leave();
    return { channel: hall, access: welcome.access };
  } catch (error) {
    hall.destroy();
    throw error;
  }
}

export interface Host<R extends { readonly keys: RoomKeys }> {
  /** The room of this id, if it is served here. */
  roomOf(id: string): R | undefined;
  /** What a client that knows the secret may do; undefined for nothing. */
  authorize(room: R, token: string | undefined): Promise<Access | undefined>;
  readonly timeoutMs: number;
}

/**
 * The server's side.
 * @throws RoomError `wrong-secret`, `unauthorized`, `refused`
 * @throws ProtocolError `malformed-frame`, `hello-timeout`
 * @throws ConnectionError when the channel closes before; the channel is closed in every case
 */
export async function admit<R extends { readonly keys: RoomKeys }>(
  channel: Channel,
  host: Host<R>,
): Promise<Admission & { readonly room: R }> {
  const hall = new Hall(channel, 1, host.timeoutMs);
  try {
    const nonce = createNonce();
    hall.say({ version: HANDSHAKE_VERSION, nonce });
    const entry = readEntry(await hall.next());
    const room = host.roomOf(entry.room);
    if (room === undefined) throw new RoomError('refused', 'this room is not served here');
    const { keys } = room;
    const parts = clientParts(entry.room, nonce, entry.nonce, entry.token);
    if (!(await keys.verify(base64url.baseDecode(entry.proof), parts))) throw wrongSecret();
    const token = entry.token === undefined ? undefined : await openToken(keys, entry.token);
    const access = await hall.orFail(host.authorize(room, token));
    if (access === undefined) {
      throw new RoomError('unauthorized', 'the server does not let this client in');
    }
    const proof = await keys.prove(serverParts(keys.id, nonce, entry.nonce, access));
    hall.leave();
    hall.say({ proof: base64url.baseEncode(proof), access });
    return { channel: hall, access, room };
  } catch (error) {
    hall.refuse(error);
    throw error;
  }
}

// --- what is proved ---

function clientParts(
  room: string,
  serverNonce: string,
  clientNonce: string,
  token: string | undefined,
): string[] {
  return [CONTEXT, 'client', room, serverNonce, clientNonce, token ?? ''];
}

function serverParts(
  room: string,
  serverNonce: string,
  clientNonce: string,
  access: Access,
): string[] {
  return [CONTEXT, 'server', room, serverNonce, clientNonce, access];
}

function createNonce(): string {
  return base64url.baseEncode(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
}

async function openToken(keys: RoomKeys, sealed: string): Promise<string> {
  const token = await keys.open(sealed);
  if (token === undefined) throw malformed('a token that was not sealed for this room');
  return new TextDecoder().decode(token);
}

// --- what is said ---

type Fields = Readonly<Record<string, unknown>>;

function readHello(fields: Fields): { nonce: string } {
  if (fields['version'] !== HANDSHAKE_VERSION) {
    const version = JSON.stringify(fields['version'] ?? null).slice(0, 20);
    throw new ProtocolError(
      'unsupported-version',
      `the server speaks version ${version} of the handshake, this side ${HANDSHAKE_VERSION}`,
    );
  }
  return { nonce: matching(fields, 'nonce', NONCE) };
}

function readEntry(fields: Fields): {
  room: string;
  nonce: string;
  proof: string;
  token: string | undefined;
} {
  return {
    room: matching(fields, 'room', ANY),
    nonce: matching(fields, 'nonce', NONCE),
    proof: matching(fields, 'proof', PROOF),
    token: fields['token'] === undefined ? undefined : matching(fields, 'token', ANY),
  };
}

function readWelcome(fields: Fields): { proof: string; access: Access } {
  if (fields['refused'] !== undefined) throw refusedBy(fields['refused'], fields['message']);
  const { access } = fields;
  if (access !== 'read' && access !== 'write') throw malformed('no access');
  return { proof: matching(fields, 'proof', PROOF), access };
}

function matching(fields: Fields, name: string, form: RegExp): string {
  const value = fields[name];
  if (typeof value === 'string' && form.test(value)) return value;
  throw malformed(`no ${name}`);
}

// --- refusals ---

function malformed(what: string): ProtocolError {
  return new ProtocolError('malformed-frame', `the other side's handshake is malformed: ${what}`);
}

function wrongSecret(): RoomError {
  return new RoomError('wrong-secret', "the other side does not know this room's secret");
}

/** What a client is told of the error that ended its handshake; of our own troubles nothing. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof RoomError) {
    if (error.code === 'wrong-secret') return 'wrong-secret';
    return error.code === 'refused' ? 'unknown-room' : 'unauthorized';
  }
  if (!(error instanceof ProtocolError)) return 'unauthorized';
  return error.code === 'hello-timeout' ? 'timeout' : 'malformed';
}

function refusedBy(refused: unknown, message: unknown): RoomError | ProtocolError {
  const reason = REFUSALS.find((each) => each === refused);
  const text = typeof message === 'string' ? message.slice(0, 200) : 'the server refuses';
  switch (reason) {
    case 'wrong-secret':
      return new RoomError('wrong-secret', text);
    case 'unauthorized':
      return new RoomError('unauthorized', text);
    case 'unknown-room':
      return new RoomError('refused', text);
    case 'timeout':
      return new ProtocolError('hello-timeout', text);
    case 'malformed':
    case undefined:
      return new ProtocolError('aborted-by-peer', text);
  }
}

// --- the channel ---

/**
 * A channel whose first frames are the other side's part of the handshake; the rest is handed on, to
 * whoever starts it after that.
 */
class Hall extends WrappedChannel {
  readonly #inbox = new Inbox((error) => this.destroy(error));
  readonly #timer: ReturnType<typeof setTimeout>;
  /** How many frames are still of the handshake. */
  #expected: number;
  readonly #said: Fields[] = [];
  #over: Error | undefined;
  #wake: () => void = () => {};
  readonly #failed: Promise<never>;
  #rejectFailed!: (error: Error) => void;
  /** The server's clients have nothing to say beyond the handshake before they are let in. */
  readonly #runsAhead: boolean;
  #isLeft = false;

  constructor(channel: Channel, expected: number, timeoutMs: number) {
    super(channel);
    this.#expected = expected;
    this.#runsAhead = expected > 1;
    this.#failed = new Promise((_resolve, reject) => (this.#rejectFailed = reject));
    this.#failed.catch(() => {});
    this.#timer = setTimeout(() => {
      this.#fail(new ProtocolError('hello-timeout', 'the other side did not introduce itself'));
    }, timeoutMs);
    channel.start({
      frame: (frame) => this.#onFrame(frame),
      closed: (error) => {
        this.#fail(new ConnectionError('peer-gone', 'closed in the handshake', { cause: error }));
        this.#inbox.end(error);
      },
    });
  }

  /** The next object of the other side's handshake. */
  async next(): Promise<Fields> {
    for (;;) {
      const said = this.#said.shift();
      if (said !== undefined) return said;
      await this.orFail(new Promise<void>((resolve) => (this.#wake = resolve)));
    }
  }

  /** What a step results in, unless the handshake fails before. */
  orFail<T>(step: Promise<T>): Promise<T> {
    return Promise.race([this.#failed, step]);
  }

  say(fields: Fields): void {
    if (this.#over !== undefined) throw this.#over;
    this.inner.send(JSON.stringify(fields));
  }

  /** The handshake is over: what comes now is for the session. */
  leave(): void {
    if (this.#over !== undefined) throw this.#over;
    clearTimeout(this.#timer);
    this.#isLeft = true;
  }

  refuse(error: unknown): void {
    clearTimeout(this.#timer);
    const message = error instanceof RoomError ? error.message : 'the handshake failed';
    try {
      this.inner.send(JSON.stringify({ refused: refusalOf(error), message }));
    } catch {
      // It is closed: nobody is there to be told.
    }
    const giveUp = setTimeout(() => this.inner.destroy(), REFUSAL_TIMEOUT_MS);
    void this.inner.close().finally(() => clearTimeout(giveUp));
  }

  #onFrame(frame: Frame): void {
    if (this.#expected === 0) {
      if (this.#isLeft || this.#runsAhead) this.#inbox.frame(frame);
      else this.#fail(malformed('more than was asked for'));
      return;
    }
    this.#expected -= 1;
    try {
      this.#said.push(readFields(frame));
      this.#wake();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    clearTimeout(this.#timer);
    this.#over ??= error;
    this.#rejectFailed(error);
  }

  // --- the channel ---

  override start(handlers: ChannelHandlers): void {
    this.#inbox.start(handlers);
  }

  override destroy(error?: Error): void {
    clearTimeout(this.#timer);
    super.destroy(error);
  }
}

/** @throws ProtocolError `malformed-frame` */
function readFields(frame: Frame): Fields {
  if (typeof frame !== 'string' || frameBytes(frame) > MAX_HANDSHAKE_BYTES) {
    throw malformed('not a short text');
  }
  try {
    const value: unknown = JSON.parse(frame);
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch {
    throw malformed('not JSON');
  }
  throw malformed('not an object');
}
