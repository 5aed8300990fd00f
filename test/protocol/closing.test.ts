import { expect, test } from 'vitest';
import { TinyReplica } from '../support/tiny-replica.ts';
import { join } from './wire.ts';

test('a session that is closing promises nothing for what is written then', async () => {
  const [alice, bob] = [new TinyReplica(), new TinyReplica()];
  const joined = join(alice, bob);
  await joined.settled();
  const closing = joined.alice.close();
  const late = alice.put('late', 1);
  await expect(joined.alice.synced()).rejects.toMatchObject({
    name: 'ConnectionError',
    code: 'closed',
  });
  await closing;
  await joined.ended;
  expect(bob.has(late)).toBe(false);
});
