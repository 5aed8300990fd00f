import { base64url } from 'multiformats/bases/base64';
import { concatBytes } from '../bytes.ts';
import { checkRoom, nameBytes } from './check-room.ts';
import type { CipherSuite, Nonce, RoomCipher } from './cipher.ts';
import { lengthPrefixed, roomId } from './room-id.ts';
import { randomBitsOf } from './room-secret.ts';
import { webCipher } from './web-cipher.ts';

/** OWASP's figure of 2023 for PBKDF2 with HMAC-SHA-256: some 0.2 s, once a room. */
const PBKDF2_ITERATIONS = 600_000;

/** The room of a server that serves one ledger, unless it is named. */
export const DEFAULT_ROOM = 'emberlink';

const IV_BYTES = 12;

const text = new TextEncoder();

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
    const infoOf = (use: string): Uint8Array => lengthPrefixed(['emberlink', use, id]);
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
    return this.#cipher.sign(lengthPrefixed(parts));
  }

  /** True when `mac` is what `prove` gives for these parts; compared in constant time. */
  async verify(mac: Uint8Array, parts: readonly (string | Uint8Array)[]): Promise<boolean> {
    return this.#cipher.verify(mac, lengthPrefixed(parts));
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

async function secretBytes(
  id: string,
  secret: string | Uint8Array,
  suite: CipherSuite,
): Promise<Uint8Array> {
  if (typeof secret !== 'string') return new Uint8Array(secret);
  const randomBits = randomBitsOf(secret);
  if (randomBits !== undefined) return randomBits;
  const passphrase = text.encode(secret.normalize('NFC'));
  return suite.stretch(passphrase, lengthPrefixed(['emberlink secret 1', id]), PBKDF2_ITERATIONS);
}
