import { expect, test } from 'vitest';
import { loadPart } from '../src/load-part.ts';

test('calls at the same time share one load, and later ones what it brought', async () => {
  let loads = 0;
  const load = loadPart(
    async () => ({ number: ++loads }),
    () => new Error('not loaded'),
  );
  const [first, second] = await Promise.all([load(), load()]);
  expect([first.number, second.number, (await load()).number]).toEqual([1, 1, 1]);
});

test('a load that fails is told with its cause, and the next call tries again', async () => {
  const cause = new TypeError('Failed to fetch');
  const outcomes = [Promise.reject(cause), Promise.resolve('part')];
  const load = loadPart(
    () => outcomes.shift()!,
    (why) => new Error('not loaded', { cause: why }),
  );
  const [first, second] = await Promise.allSettled([load(), load()]);
  expect(first).toMatchObject({ reason: { message: 'not loaded', cause } });
  expect(second).toEqual(first);
  expect(await load()).toBe('part');
});
