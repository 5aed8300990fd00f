import { expect, it } from 'vitest';
import { Traffic, TRAFFIC_SECONDS } from '../../src/inspector/traffic.ts';

it('adds up what travels each way, and forgets single seconds after a minute', () => {
  const traffic = new Traffic();
  traffic.add('out', 300, 10_100);
  traffic.add('out', 300, 10_900);
  traffic.add('in', 50, 12_500);
  expect(traffic.bytes('out')).toBe(600);
  expect(traffic.messages('out')).toBe(2);
  expect(traffic.bytes('in')).toBe(50);

  const series = traffic.series('out', 12_999);
  expect(series.length).toBe(TRAFFIC_SECONDS);
  expect(series.slice(-3)).toEqual([600, 0, 0]);
  expect(traffic.series('in', 12_999).slice(-3)).toEqual([0, 0, 50]);
  expect(traffic.rate('out', 13_000)).toBe(200);
  expect(traffic.rate('out', 14_000)).toBe(0);

  expect(traffic.series('out', 69_999).at(0)).toBe(600);
  expect(traffic.series('out', 70_000).at(0)).toBe(0);
  expect(traffic.isRecent(72_000)).toBe(true);
  traffic.add('out', 7, 1_000_000);
  expect(traffic.series('out', 1_000_000).filter((bytes) => bytes > 0)).toEqual([7]);
  expect(traffic.bytes('out')).toBe(607);
  expect(traffic.isRecent(1_100_000)).toBe(false);
});
