import { expect, test } from 'vitest';
import { memoryLedger } from './support.ts';

test('verify tells its progress', async () => {
  const alice = await memoryLedger('alice');
  for (let n = 0; n < 5; n++) await alice.put({ _id: `${n % 2}`, n });
  const progress: string[] = [];
  await alice.verify((done, total) => progress.push(`${done}/${total}`));
  expect(progress).toEqual(['1/5', '2/5', '3/5', '4/5', '5/5']);
});
