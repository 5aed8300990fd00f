import type { CID } from 'multiformats/cid';
import { turns } from '../turn.ts';
import { timeInMs } from './clock.ts';
import type { ClockState } from './clock-state.ts';
import { fieldSpans, readCommit } from './commit.ts';
import { hex } from '../bytes.ts';

/** A commit, without the values that it wrote. */
export interface CommitEntry {
  readonly cid: CID;
  readonly parents: readonly CID[];
  /** The writer's id, in hexadecimal. */
  readonly writer: string;
  /** When it was written, by the writer's hybrid clock, in milliseconds since 1970. */
  readonly time: number;
  /** The size of its block. */
  readonly bytes: number;
  readonly operations: readonly CommitOperation[];
}

/** What a commit did to one document. */
export interface CommitOperation {
  readonly id: string;
  readonly kind: 'put' | 'delete';
  /** The fields that it set or removed; none for a delete. */
  readonly fields: readonly string[];
}

export interface CommitsOptions {
  /** Only commits that come after this clock. */
  readonly since?: readonly CID[];
  /** At most so many, the newest of them. */
  readonly limit?: number;
}

/** Commits by number as entries, in order of their times, and so each after its parents. */
export async function commitEntries(
  commits: Iterable<number>,
  limit: number,
  { table, cache }: ClockState,
): Promise<CommitEntry[]> {
  const inOrder = [...commits].sort(
    (a, b) => table.time(a) - table.time(b) || table.compareDigests(a, b),
  );
  const entries: CommitEntry[] = [];
  const turn = turns();
  for (const commit of inOrder.slice(Math.max(0, inOrder.length - limit))) {
    const wait = turn();
    if (wait !== undefined) await wait;
    const block = cache.pass(commit);
    const bytes = block instanceof Promise ? await block : block;
    const operations = readCommit(bytes).operations.map(
      ({ id, deleted, setAt, unset }): CommitOperation => {
        if (deleted) return { id, kind: 'delete', fields: [] };
        const set = fieldSpans(bytes, setAt).map(({ name }) => name);
        return { id, kind: 'put', fields: [...set, ...unset] };
      },
    );
    entries.push({
      cid: table.cid(commit),
      parents: table.parents(commit).map((parent) => table.cid(parent)),
      writer: hex(table.writer(commit)),
      time: timeInMs(table.time(commit)),
      bytes: bytes.length,
      operations,
    });
  }
  return entries;
}
