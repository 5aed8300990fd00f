import { type Hello } from '../messages.ts';

/**
 * What two hellos say about each other, seen from the first one's side. `in-sync`: neither streams
 * anything, since there is nothing to stream or nobody takes it.
 */
export type Relation = 'in-sync' | 'they-are-empty' | 'we-are-empty' | 'different';

/**
 * Equal heads mean equal ledgers, except for blocks that no commit links to: no head tells of
 * those, the block count does.
 */
export function compareHellos(ours: Hello, theirs: Hello): Relation {
  if (ours.blockCount === 0 && theirs.blockCount === 0) return 'in-sync';
  if (!ours.takes && !theirs.takes) return 'in-sync';
  if (theirs.blockCount === 0) return theirs.takes ? 'they-are-empty' : 'in-sync';
  if (ours.blockCount === 0) return ours.takes ? 'we-are-empty' : 'in-sync';
  const alike = ours.blockCount === theirs.blockCount && sameHeads(ours, theirs);
  return alike ? 'in-sync' : 'different';
}

export function sameHeads(ours: Hello, theirs: Hello): boolean {
  if (ours.headsTruncated || theirs.headsTruncated) return false;
  if (ours.heads.length !== theirs.heads.length) return false;
  const known = new Set(ours.heads.map(String));
  return known.size === ours.heads.length && theirs.heads.every((cid) => known.has(String(cid)));
}
