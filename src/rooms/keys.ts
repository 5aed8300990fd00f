import { base64url } from 'multiformats/bases/base64';
import { concatBytes } from '../bytes.ts';
import { RoomError } from '../errors.ts';
import { sha256 } from '../sha256.ts';
import type { CipherSuite, Nonce, RoomCipher } from './cipher.ts';
import { webCipher } from './web-cipher.ts';

/** OWASP's figure of 2023 for PBKDF2 with HMAC-SHA-256: some 0.2 s, once a room. */
const PBKDF2_ITERATIONS = 600_000;

/** The room of a server that serves one ledger, unless it is named. */
export const DEFAULT_ROOM = 'emberlink';

const MAX_ROOM_BYTES = 256;
const MIN_SECRET_BYTES = 16;
const GENERATED_SECRET = /^ember-([A-Za-z0-9_-]{43})$/;
const IV_BYTES = 12;

const text = new TextEncoder();

/** What the signaling servers call a room: its name's hash, as 43 characters of base64url. */
export async function roomId(room: string): Promise<string> {
  return base64url.baseEncode(sha256(joined(['emberlink room 1', nameBytes(room)])));
}

/** @throws RoomError `invalid-option` for an empty or too long name, or a secret that is too short */
export function checkRoom(room: string, secret?: string | Uint8Array): void {
  nameBytes(room);
  if (secret === '') throw new RoomError('invalid-option', 'an empty secret');
  if (secret instanceof Uint8Array && secret.length < MIN_SECRET_BYTES) {
    throw new RoomError(
      'invalid-option',
      `a secret of ${secret.length} bytes; at least ${MIN_SECRET_BYTES}`,
    );
  }
}

/** A secret that nobody guesses: 256 random bits as a string that can be put into a link. */
export function createRoomSecret(): string {
  return `ember-${base64url.baseEncode(crypto.getRandomValues(new Uint8Array(32)))}`;
}

/**
 * The keys that the members of a room share: one to seal what they tell each other by way of
 * signaling servers, one to prove membership. They follow from the room's name and its secret.
 */
export class RoomKeys {
  /** See `roomId`. */
  readonly id: string;
  readonly #cipher: RoomCipher;

  private constructor(id: string, cipher: RoomCipher) {
    this.id = id;
    this.#cipher = cipher;
  }

  /**
   * @param secret one of `createRoomSecret` or at least 16 bytes are taken as they are; any other
   *   text is a passphrase, and stretched by PBKDF2. Without one the room's name is all there is to
   *   know.
   * @throws RoomError like `checkRoom`
   */
  static async derive(room: string, secret?: string | Uint8Array): Promise<RoomKeys> {
    checkRoom(room, secret);
    const id = await roomId(room);
    const suite = await cipherSuite();
    const master = secret === undefined ? nameBytes(room) : await secretBytes(id, secret, suite);
    const infoOf = (use: string): Uint8Array => joined(['emberlink', use, id]);
    const infos = { seal: infoOf('seal'), prove: infoOf('prove') };
    return new RoomKeys(id, await suite.derive(master, infos));
  }

  /** AES-GCM under a random IV, as base64url. */
  async seal(plain: Uint8Array): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const sealed = await this.#cipher.seal(plain, this.#nonce(iv));
    return base64url.baseEncode(concatBytes([iv, sealed]));
  }

  /** What was sealed with the keys of the same room and secret; undefined for anything else. */
  async open(envelope: string): Promise<Uint8Array | undefined> {
    try {
      const bytes = base64url.baseDecode(envelope);
      const nonce = this.#nonce(bytes.slice(0, IV_BYTES));
      return await this.#cipher.open(bytes.slice(IV_BYTES), nonce);
    } catch {
      return undefined;
    }
  }

  /** HMAC-SHA-256 over the parts, each with its length before it: 32 bytes. */
  async prove(parts: readonly (string | Uint8Array)[]): Promise<Uint8Array> {
    return this.#cipher.sign(joined(parts));
  }

  /** True when `mac` is what `prove` gives for these parts; compared in constant time. */
  async verify(mac: Uint8Array, parts: readonly (string | Uint8Array)[]): Promise<boolean> {
    return this.#cipher.verify(mac, joined(parts));
  }

  #nonce(iv: Uint8Array): Nonce {
    return { iv, additionalData: text.encode(this.id) };
  }
}

async function cipherSuite(): Promise<CipherSuite> {
  // A page that came over plain http has no WebCrypto, unless it is of this machine.
  if (globalThis.crypto.subtle !== undefined) return webCipher;
  return (await import('./portable-cipher.ts')).portableCipher;
}

// --- bytes ---

function nameBytes(room: string): Uint8Array {
  const bytes = text.encode(room.normalize('NFC'));
  if (bytes.length > 0 && bytes.length <= MAX_ROOM_BYTES) return bytes;
  throw new RoomError(
    'invalid-option',
    `a room's name has 1 to ${MAX_ROOM_BYTES} bytes of UTF-8, not ${bytes.length}`,
  );
}

async function secretBytes(
  id: string,
  secret: string | Uint8Array,
  suite: CipherSuite,
): Promise<Uint8Array> {
  if (typeof secret !== 'string') return new Uint8Array(secret);
  const generated = GENERATED_SECRET.exec(secret)?.[1];
  if (generated !== undefined) return base64url.baseDecode(generated).slice();
  const passphrase = text.encode(secret.normalize('NFC'));
  return suite.stretch(passphrase, joined(['emberlink secret 1', id]), PBKDF2_ITERATIONS);
}

/** The parts one after the other, the length of each in 4 bytes before it. */
function joined(parts: readonly (string | Uint8Array)[]): Uint8Array {
  return concatBytes(
    parts.flatMap((part) => {
      const bytes = typeof part === 'string' ? text.encode(part) : part;
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length);
      return [length, bytes];
    }),
  );
}
