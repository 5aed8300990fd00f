import { decode } from '../dag-cbor.ts';
import { CID } from 'multiformats/cid';
import { BlockError } from '../errors.ts';

/**
 * The roots in the header of a CARv1, given without its varint.
 * @throws BlockError `malformed-car`
 */
export function decodeCarHeader(bytes: Uint8Array): CID[] {
  let header: { version?: unknown; roots?: unknown } | null;
  try {
    header = decode(bytes);
  } catch (cause) {
    throw new BlockError('malformed-car', 'CAR: its header is not dag-cbor', { cause });
  }
  if (header?.version !== 1) {
    throw malformed(`its version is ${describe(header?.version)}, only version 1 is read`);
  }
  if (!Array.isArray(header.roots)) throw malformed('its header lists no roots');
  return header.roots.map((root: unknown) => {
    const cid = CID.asCID(root);
    if (cid === null) throw malformed('one of its roots is not a CID');
    return cid;
  });
}

function describe(version: unknown): string {
  return typeof version === 'number' ? String(version) : 'not a number';
}

/** A CAR that cannot be read. */
export function malformed(what: string): BlockError {
  return new BlockError('malformed-car', `CAR: ${what}`);
}
