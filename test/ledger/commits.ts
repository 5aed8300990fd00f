import { encode } from '@ipld/dag-cbor';
import type { CID } from 'multiformats/cid';
import { type Block, blockOf } from '../../src/blocks.ts';
import { compareBytes, concatBytes } from '../../src/bytes.ts';

/** Commits made by hand: what a peer could send, whether a ledger would write it or not. */
export interface CommitParts {
  readonly parents?: readonly CID[];
  /** In milliseconds since 1970. */
  readonly timeMs: number;
  readonly operations: readonly RawOperation[];
}

/** Of the one writer of all these commits. */
let sequence = 0;

export type RawOperation = readonly unknown[];

export function commitBlock({ parents = [], timeMs, operations }: CommitParts): Block {
  const sorted = [...parents].sort((a, b) => compareBytes(a.multihash.digest, b.multihash.digest));
  // Parents of other writers are named as commits that no snapshot covers.
  const dots = [++sequence, ...sorted.map(() => 2 ** 32 - 1)];
  const data = [1, timeMs * 256, Uint8Array.of(1, 2, 3, 4), operations, dots];
  return blockOf(encode({ data, parents: sorted }));
}

/** @param replaces the commits whose writing of the document it supersedes */
export function putOf(
  id: string,
  fields: Record<string, unknown>,
  replaces: readonly CID[] = [],
): RawOperation {
  return [id, namesOf(replaces), fields];
}

export function deleteOf(id: string, replaces: readonly CID[] = []): RawOperation {
  return [id, namesOf(replaces)];
}

function namesOf(cids: readonly CID[]): Uint8Array {
  return concatBytes(cids.map((cid) => cid.multihash.digest.subarray(0, 16)));
}
