import { sha256 as portableSha256 } from '@noble/hashes/sha2.js';
import { nodeBuiltin } from './node-builtin.ts';

type NodeCrypto = typeof import('node:crypto');

/**
 * SHA-256 as one synchronous call on every platform: OpenSSL's where the process has it, else
 * @noble/hashes.
 */
export const sha256: (bytes: Uint8Array) => Uint8Array = pickSha256();

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
