import type { CID } from 'multiformats/cid';
import { cidOfDigest } from '../blocks.ts';
import { hex, keyOf } from '../bytes.ts';
import { StorageError } from '../errors.ts';
import type { Location, Log } from '../storage/log.ts';
import { turns } from '../turn.ts';
import { digestOf } from './canonical.ts';
import type { ClockState } from './clock-state.ts';
import type { CommitStore } from './commit-store.ts';
import { Documents } from './documents.ts';
import type { VerifyReport } from './ledger.ts';
import type { Replay } from './replay.ts';

export type NewReplay = (log: Log, state: ClockState, documents: Documents) => Replay;

/**
 * Reads everything that is stored, and compares what it adds up to with the documents of now. The
 * caller keeps writes away.
 * @param fresh a state that is still empty
 */
export async function verify(
  log: Log,
  store: CommitStore,
  documents: Documents,
  fresh: ClockState,
  newReplay: NewReplay,
  onProgress?: (done: number, total: number) => void,
): Promise<VerifyReport> {
  const corrupt: { cid: CID; error: unknown }[] = [];
  let [bytes, done] = [0, 0];
  const total = store.blockCount;
  const anew = await mergedAnew(log, store.state, fresh, newReplay, {
    onCorrupt: (cid, error) => corrupt.push({ cid, error }),
    onBlock: (length) => {
      bytes += length;
      onProgress?.(Math.min(++done, total), total);
    },
  });
  const whole = corrupt.length === 0;
  const digest = whole ? hex(await digestOf(anew)) : '';
  return {
    commits: store.count,
    documents: anew.count(),
    bytes,
    corrupt,
    stateMatches: whole && digest === hex(await digestOf(documents)),
    digest,
  };
}

/**
 * What the snapshots and commits of a state add up to, from their stored bytes; blocks of the state that
 * come while it runs are not among them.
 * @param fresh a state that is still empty
 */
async function mergedAnew(
  log: Log,
  { table, pages, snapshots: merged }: ClockState,
  fresh: ClockState,
  newReplay: NewReplay,
  { onCorrupt, onBlock }: MergeAnewOptions,
): Promise<Documents> {
  const { count } = table;
  for (const { digest, location } of pages.dump()) fresh.loose.set(keyOf(digest), location);
  const documents = new Documents(fresh.table, fresh.pages, fresh.cache);
  const replay = newReplay(log, fresh, documents);
  const turn = turns();
  const add = async (location: Location, cid: CID): Promise<void> => {
    await turn();
    try {
      const bytes = await log.read(location, cid);
      await replay.add({ ...location, cid, bytes });
      onBlock(bytes.length);
    } catch (error) {
      onCorrupt(cid, error);
    }
  };
  for (const { digest, location } of merged.slice()) await add(location, cidOfDigest(digest));
  for (const cid of replay.unreadable) {
    onCorrupt(cid, new StorageError('corrupt', `snapshot ${cid} is not whole`));
  }
  for (let commit = 0; commit < count; commit++) {
    if (table.isWhole(commit)) await add(table.location(commit), table.cid(commit));
  }
  replay.finish();
  return documents;
}

interface MergeAnewOptions {
  /** Told of each block that is not what was written. */
  readonly onCorrupt: (cid: CID, error: unknown) => void;
  readonly onBlock: (bytes: number) => void;
}
