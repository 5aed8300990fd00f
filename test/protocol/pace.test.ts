import { expect, test } from 'vitest';
import { Pace } from '../../src/protocol/pace.ts';

const KIBIBYTE = 1024;

/** Keeps a link of this rate and delay filled as far as the pace allows, for so long; gives the pace. */
function fill(pace: Pace, bytesPerMs: number, delayMs: number, forMs: number): number {
  const frame = 64 * KIBIBYTE;
  const underWay: { end: number; arrivesMs: number }[] = [];
  let [sent, stored, freeMs] = [0, 0, 0];
  for (let nowMs = 1; nowMs <= forMs; nowMs++) {
    while (underWay[0] !== undefined && underWay[0].arrivesMs <= nowMs) {
      stored = underWay.shift()!.end;
      pace.stored(stored, nowMs);
    }
    while (sent + frame - stored <= pace.bytes) {
      sent += frame;
      pace.sent(sent, nowMs);
      freeMs = Math.max(freeMs, nowMs) + frame / bytesPerMs;
      underWay.push({ end: sent, arrivesMs: freeMs + delayMs });
    }
  }
  return pace.bytes;
}

test('a near link has no more under way than it needs, however fast it is', () => {
  expect(fill(new Pace(), 60 * KIBIBYTE, 1, 2000)).toBeLessThanOrEqual(512 * KIBIBYTE);
});

test('a far link is filled: the pace grows to its bandwidth times its delay', () => {
  const [bytesPerMs, delayMs] = [20 * KIBIBYTE, 100];
  const bytes = fill(new Pace(), bytesPerMs, delayMs, 10_000);
  expect(bytes).toBeGreaterThan(bytesPerMs * delayMs);
  expect(bytes).toBeLessThan(4 * bytesPerMs * delayMs);
});

test('a slow link keeps the least that any has', () => {
  expect(fill(new Pace(), 100, 20, 10_000)).toBe(256 * KIBIBYTE);
});
