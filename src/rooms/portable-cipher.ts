import { gcm } from '@noble/ciphers/aes.js';
import { equalBytes } from '@noble/ciphers/utils.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { pbkdf2Async } from '@noble/hashes/pbkdf2.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { CipherSuite } from './cipher.ts';

/**
 * Without WebCrypto, which browsers keep from pages that came over plain http, such as those of a
 * machine on the same network. Loaded there alone.
 */
export const portableCipher: CipherSuite = {
  stretch: (passphrase, salt, iterations) =>
    pbkdf2Async(sha256, passphrase, salt, { c: iterations, dkLen: 32 }),

  async derive(master, infos) {
    const sealing = hkdf(sha256, master, undefined, infos.seal, 32);
    const proving = hkdf(sha256, master, undefined, infos.prove, 32);
    return {
      seal: async (plain, { iv, additionalData }) =>
        gcm(sealing, iv, additionalData).encrypt(plain),
      open: async (sealed, { iv, additionalData }) =>
        gcm(sealing, iv, additionalData).decrypt(sealed),
      sign: async (message) => hmac(sha256, proving, message),
      verify: async (mac, message) => equalBytes(mac, hmac(sha256, proving, message)),
    };
  },
};
