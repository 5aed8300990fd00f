import { BlockError } from '../errors.ts';

/**
 * Hybrid logical time ("Logical Physical Clocks", Kulkarni et al., 2014) as one integer: milliseconds
 * since 1970 times 256, plus a counter within the millisecond that overflows into the next one.
 * Each commit's time is greater than all its parents', so causality always beats wall clocks.
 */

/** How many hybrid times there are in a millisecond. */
export const TICKS_PER_MS = 256;

/** A commit from further in the future than this waits until its time is near: 5 minutes. */
export const DEFAULT_FUTURE_TOLERANCE_MS: number = 5 * 60 * 1000;

/** The time of a new commit, written at wall clock `nowMs` above commits of `parentTimes`. */
export function nextTime(nowMs: number, parentTimes: Iterable<number>): number {
  let time = Math.floor(nowMs) * TICKS_PER_MS;
  for (const parentTime of parentTimes) time = Math.max(time, parentTime + 1);
  return time;
}

/** @throws BlockError `impossible-time` when the time is not greater than all its parents' */
export function checkTime(time: number, parentTimes: Iterable<number>): void {
  for (const parentTime of parentTimes) {
    if (time <= parentTime) {
      throw new BlockError(
        'impossible-time',
        `a commit of time ${time} has a parent of time ${parentTime}`,
      );
    }
  }
}

/** The heads after a commit: it takes the place of its parents. */
export function advance(heads: Set<number>, commit: number, parents: readonly number[]): void {
  for (const parent of parents) heads.delete(parent);
  heads.add(commit);
}

/** The first hybrid time of which `timeInMs` is later than this. */
export function hybridTimeAfter(timeMs: number): number {
  return (Math.floor(timeMs) + 1) * TICKS_PER_MS;
}

/** The milliseconds since 1970 of a hybrid time. */
export function timeInMs(time: number): number {
  return Math.floor(time / TICKS_PER_MS);
}
