import { encode } from '../dag-cbor.ts';
import { CID } from 'multiformats/cid';
import { compareBytes } from '../bytes.ts';
import type { DocumentValue } from './document.ts';

/**
 * The order of index keys, as in CouchDB's view collation: null, false, true, numbers, text, bytes and
 * links, lists (item by item), maps. Text is compared by UTF-16 code units, the same everywhere.
 */
export function compareKeys(a: DocumentValue, b: DocumentValue): number {
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  if (typeof a === 'string' || typeof a === 'number' || typeof a === 'bigint') {
    return a < b! ? -1 : a > b! ? 1 : 0;
  }
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(a, b);
  if (typeof a === 'object' && a !== null) return compareBytes(encode(a), encode(b));
  return 0;
}

/** True when text begins with the prefix text, or a list with the items of the prefix list. */
export function hasPrefix(key: DocumentValue, prefix: DocumentValue): boolean {
  if (typeof key === 'string' && typeof prefix === 'string') return key.startsWith(prefix);
  if (!Array.isArray(key) || !Array.isArray(prefix)) return compareKeys(key, prefix) === 0;
  return compareLists(key.slice(0, prefix.length), prefix) === 0;
}

function compareLists(a: readonly DocumentValue[], b: readonly DocumentValue[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = compareKeys(a[i]!, b[i]!);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function rank(value: DocumentValue): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return value ? 2 : 1;
  if (typeof value === 'number' || typeof value === 'bigint') return 3;
  if (typeof value === 'string') return 4;
  if (value instanceof Uint8Array) return 5;
  if (CID.asCID(value) !== null) return 6;
  return Array.isArray(value) ? 7 : 8;
}
