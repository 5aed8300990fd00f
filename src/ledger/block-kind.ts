import { equalBytes } from '../bytes.ts';

/** What a ledger's block is, by its first bytes; whatever is no part of a snapshot must be a commit. */
export type BlockKind = 'commit' | 'page' | 'root';

export const ROOT_START: Uint8Array = startOf('snapshot');
export const PAGE_START: Uint8Array = startOf('page');

export function kindOf(bytes: Uint8Array): BlockKind {
  if (startsWith(bytes, PAGE_START)) return 'page';
  return startsWith(bytes, ROOT_START) ? 'root' : 'commit';
}

/** A dag-cbor map with this one key of less than 24 letters, up to the key's value. */
function startOf(key: string): Uint8Array {
  return Uint8Array.of(0xa1, 0x60 + key.length, ...new TextEncoder().encode(key));
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, start.length), start);
}
