import type { CipherSuite, Nonce } from './cipher.ts';

/** By WebCrypto: the keys themselves never come into the reach of scripts. */
export const webCipher: CipherSuite = {
  async stretch(passphrase, salt, iterations) {
    const usages: KeyUsage[] = ['deriveBits'];
    const key = await crypto.subtle.importKey('raw', source(passphrase), 'PBKDF2', false, usages);
    const algorithm = { name: 'PBKDF2', hash: 'SHA-256', salt: source(salt), iterations };
    return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
  },

  async derive(master, infos) {
    const secret = await crypto.subtle.importKey('raw', source(master), 'HKDF', false, [
      'deriveKey',
    ]);
    const key = (
      info: Uint8Array,
      kind: AesKeyGenParams | HmacKeyGenParams,
      usages: KeyUsage[],
    ): Promise<CryptoKey> => {
      const salt = new Uint8Array(0);
      const hkdf = { name: 'HKDF', hash: 'SHA-256', salt, info: source(info) };
      return crypto.subtle.deriveKey(hkdf, secret, kind, false, usages);
    };
    const sealing = await key(infos.seal, { name: 'AES-GCM', length: 256 }, ['encrypt', 'decrypt']);
    const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 };
    const proving = await key(infos.prove, hmac, ['sign', 'verify']);
    return {
      seal: async (plain, nonce) =>
        new Uint8Array(await crypto.subtle.encrypt(gcm(nonce), sealing, source(plain))),
      open: async (sealed, nonce) =>
        new Uint8Array(await crypto.subtle.decrypt(gcm(nonce), sealing, source(sealed))),
      sign: async (message) =>
        new Uint8Array(await crypto.subtle.sign('HMAC', proving, source(message))),
      verify: (mac, message) => crypto.subtle.verify('HMAC', proving, source(mac), source(message)),
    };
  },
};

function gcm({ iv, additionalData }: Nonce): AesGcmParams {
  return { name: 'AES-GCM', iv: source(iv), additionalData: source(additionalData) };
}

/** Nothing here lies in memory that is shared between threads. */
function source(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
