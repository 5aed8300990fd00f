import { expect, it } from 'vitest';
import { Flight } from '../../src/inspector/flight.ts';

it('lets each block travel, and many together as a few dots', () => {
  const flight = new Flight();
  flight.add('bob', 'out', 1, 0);
  expect(flight.dots(0)).toMatchObject([{ peer: 'bob', direction: 'out', blocks: 1, progress: 0 }]);
  const [half] = flight.dots(450);
  expect(half!.progress).toBeCloseTo(0.5);
  expect(flight.dots(900)).toEqual([]);
  expect(flight.isBusy).toBe(false);

  flight.add('bob', 'in', 123, 1000);
  expect(flight.dots(1000).length).toBe(1);
  const all = flight.dots(1400);
  expect(all.reduce((sum, { blocks }) => sum + blocks, 0)).toBe(123);
  expect(all.length).toBe(10);
  expect(flight.dots(5000)).toEqual([]);
});

it('draws no more than it can, whatever travels', () => {
  const flight = new Flight();
  for (let n = 0; n < 1000; n++) flight.add('bob', 'in', 5, n / 100);
  expect(flight.dots(400).length).toBe(300);
  flight.clear();
  expect(flight.isBusy).toBe(false);
});
