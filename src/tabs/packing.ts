import { CID } from 'multiformats/cid';
import * as errors from '../errors.ts';

/*
 * What tabs tell each other is structured-cloned. That loses the classes of CIDs and errors, and clones
 * the whole buffer under each view. So what no document holds stands for them: a bare ArrayBuffer for a
 * CID, a Map for an error.
 */

/** A value of documents, CIDs and errors as one that `structuredClone` keeps. */
export function pack(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof CID) return value.bytes.slice().buffer;
  if (value instanceof Uint8Array) {
    return value.byteLength === value.buffer.byteLength ? value : value.slice();
  }
  if (ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(pack);
  if (value instanceof Error) return packError(value);
  return mapFields(value, pack);
}

/** What `pack` was given. */
export function unpack(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof ArrayBuffer) return CID.decode(new Uint8Array(value));
  if (Array.isArray(value)) return value.map(unpack);
  if (value instanceof Map) return unpackError(value as Map<string, unknown>);
  return mapFields(value, unpack);
}

/** A document may have a field of any name, `__proto__` too. */
function mapFields(value: object, map: (field: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, map(field)]));
}

// --- errors ---

/** What an error of ours may have beside its message. */
const FACTS = ['name', 'message', 'code', 'path', 'segment', 'offset'] as const;

function packError(error: Error): Map<string, unknown> {
  const packed = new Map<string, unknown>();
  for (const fact of FACTS) {
    const value = (error as unknown as Record<string, unknown>)[fact];
    if (typeof value === 'string' || typeof value === 'number') packed.set(fact, value);
  }
  if (error.cause instanceof Error) packed.set('cause', packError(error.cause));
  return packed;
}

function unpackError(packed: Map<string, unknown>): Error {
  const name = packed.get('name') as string;
  const message = packed.get('message') as string;
  const code = packed.get('code') as never;
  const cause = unpack(packed.get('cause'));
  const options = cause === undefined ? {} : { cause };
  switch (name) {
    case 'DocumentError':
      return new errors.DocumentError(code, message, packed.get('path') as string, options);
    case 'StorageError':
      return new errors.StorageError(code, message, {
        ...options,
        segment: packed.get('segment') as string,
        offset: packed.get('offset') as number,
      });
    case 'LedgerError':
      return new errors.LedgerError(code, message, options);
    case 'BlockError':
      return new errors.BlockError(code, message, options);
    case 'RoomError':
      return new errors.RoomError(code, message, options);
    case 'ProtocolError':
      return new errors.ProtocolError(code, message, options);
    case 'ConnectionError':
      return new errors.ConnectionError(code, message, options);
    default: {
      const error = new Error(message, options);
      error.name = name;
      return error;
    }
  }
}
