/** The keys of a room at work: AES-256-GCM and HMAC-SHA-256. */
export interface RoomCipher {
  seal(plain: Uint8Array, nonce: Nonce): Promise<Uint8Array>;
  /** Rejects for anything that was not sealed with the same key and nonce. */
  open(sealed: Uint8Array, nonce: Nonce): Promise<Uint8Array>;
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** Compares in constant time. */
  verify(mac: Uint8Array, message: Uint8Array): Promise<boolean>;
}

/** What sealing depends on beside the key: 12 bytes that are used once, and what both sides know. */
export interface Nonce {
  readonly iv: Uint8Array;
  readonly additionalData: Uint8Array;
}

/** Where a room's keys come from. */
export interface CipherSuite {
  /** PBKDF2 with HMAC-SHA-256: 32 bytes. */
  stretch(passphrase: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array>;
  /** Derives both keys by HKDF with SHA-256, no salt, and an info for each. */
  derive(master: Uint8Array, infos: Infos): Promise<RoomCipher>;
}

export interface Infos {
  readonly seal: Uint8Array;
  readonly prove: Uint8Array;
}
