import { sha256 as portableSha256 } from '@noble/hashes/sha2.js';
import { nodeBuiltin } from './node-builtin.ts';

type NodeCrypto = typeof import('node:crypto');

/** The bytes of a digest. */
export const DIGEST_BYTES = 32;

/**
 * SHA-256 as one synchronous call on every platform: OpenSSL's where the process has it, else
 * @noble/hashes.
 */
export const sha256: (bytes: Uint8Array) => Uint8Array = pickSha256();

/** From this many bytes on WebCrypto, which answers later, takes less than half of the time. */
const LONG_BYTES = 1024;

/** The same, later for long bytes in browsers, whose own code is many times as fast as ours. */
export function sha256Soon(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  // Pages that are not secure have no WebCrypto.
  if (sha256 !== portableSha256 || bytes.length < LONG_BYTES || !globalThis.crypto?.subtle) {
    return sha256(bytes);
  }
  const digest = crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return digest.then((buffer) => new Uint8Array(buffer));
}

function pickSha256(): (bytes: Uint8Array) => Uint8Array {
  const crypto = nodeBuiltin('crypto') as NodeCrypto | undefined;
  if (typeof crypto?.createHash !== 'function') return portableSha256;
  if (typeof crypto.hash !== 'function') {
    return (bytes) => new Uint8Array(crypto.createHash('sha256').update(bytes).digest());
  }
  // One call and a string of 32 characters: on small blocks ten times as fast as a Hash and a Buffer.
  return (bytes) => {
    const digest = crypto.hash('sha256', bytes, 'latin1' as 'binary');
    const own = new Uint8Array(digest.length);
    for (let i = 0; i < own.length; i++) own[i] = digest.charCodeAt(i);
    return own;
  };
}
