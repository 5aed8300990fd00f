import type { CID } from 'multiformats/cid';
import type { Log, LogEntry, LogPosition } from '../storage/log.ts';
import { breather } from './breathe.ts';
import { advance } from './clock.ts';
import type { CommitTable } from './commit-table.ts';
import { commitDigest, readCommit, type Commit } from './commit.ts';
import { keyOf } from './parked.ts';

/**
 * From the log back to the clock and the documents. The log holds parents before children, except
 * where a block was lost to corruption: its children are applied without it, it becomes a hole in the
 * table, and when a peer brings it back it stands behind them.
 */
export async function replayLog(
  log: Log,
  from: LogPosition | undefined,
  table: CommitTable,
  heads: Set<number>,
  apply: (number: number, commit: Commit, bytes: Uint8Array) => void,
): Promise<ReplayReport> {
  const unreadable: CID[] = [];
  const early = new Map<string, LogEntry>();

  const replay = (entry: LogEntry, digest: Uint8Array, commit: Commit): boolean => {
    const parents = commit.parents.map((parent) => table.find(parent));
    if (parents.includes(-1)) return false;
    const known = table.find(digest);
    if (known >= 0) return true;
    const number = table.add(digest, parents, commit.time, entry);
    advance(heads, number, parents);
    apply(number, commit, entry.bytes);
    return true;
  };

  const readEntry = (entry: LogEntry): { digest: Uint8Array; commit: Commit } | undefined => {
    const digest = commitDigest(entry.cid);
    try {
      if (digest !== undefined) return { digest, commit: readCommit(entry.bytes) };
    } catch {
      // Its hash is right, so it was written like this: by a later version of the format, perhaps.
    }
    unreadable.push(entry.cid);
    return undefined;
  };

  const breathe = breather();
  for await (const entries of log.recover(from)) {
    await breathe();
    for (const entry of entries) {
      const read = readEntry(entry);
      if (read === undefined) continue;
      if (!replay(entry, read.digest, read.commit)) early.set(keyOf(read.digest), entry);
    }
  }

  while (early.size > 0) {
    let progress = false;
    for (const [key, entry] of early) {
      const { digest, commit } = readEntry(entry)!;
      if (!replay(entry, digest, commit)) continue;
      early.delete(key);
      progress = true;
    }
    if (progress) continue;
    // Nothing more fits: the first of them names a parent that is nowhere in the log.
    for (const entry of early.values()) {
      const lost = readEntry(entry)!.commit.parents.filter(
        (parent) => table.find(parent) < 0 && !early.has(keyOf(parent)),
      );
      for (const digest of lost) {
        table.add(digest, [], 0, { segment: 0, offset: 0, length: 0 });
      }
      if (lost.length > 0) break;
    }
  }
  return { unreadable };
}

export interface ReplayReport {
  /** Blocks in the log that this version cannot read; they stay where they are. */
  readonly unreadable: readonly CID[];
}
