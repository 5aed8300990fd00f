import type { CID } from 'multiformats/cid';
import { expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { StorageError } from '../../src/errors.ts';
import { MemoryPlace } from '../../src/storage/memory.ts';
import { START_MS } from '../support/history.ts';
import { commitBlock, putOf } from './commits.ts';
import { memoryLedger, nextChange } from './support.ts';

/** A disk on which so many more pieces of the log have room. */
class SmallPlace extends MemoryPlace {
  room = Infinity;

  override append(name: string, bytes: Uint8Array): void {
    if (name.startsWith('log') && this.room-- <= 0) throw new StorageError('full', 'no room');
    super.append(name, bytes);
  }
}

test('a commit that waited, and had no room then, is applied once there is room again', async () => {
  const place = new SmallPlace();
  const alice = await memoryLedger('alice', { storage: place, now: () => START_MS });
  const commitOf = (id: string, parents: readonly CID[] = []): Block =>
    commitBlock({ parents, timeMs: START_MS + parents.length, operations: [putOf(id, {})] });
  const parent = commitOf('parent');
  const child = commitOf('child', [parent.cid]);
  await alice.replica.receive([commitOf('first')]);
  await alice.replica.receive([child]);

  place.room = 1;
  await expect(alice.replica.receive([parent])).rejects.toMatchObject({ code: 'full' });
  expect(await alice.get('parent')).toEqual({ _id: 'parent' });
  expect(await alice.get('child')).toBeUndefined();
  place.room = Infinity;
  await alice.replica.receive([commitOf('other')]);
  if ((await alice.get('child')) === undefined) await nextChange(alice);
  expect(await alice.get('child')).toEqual({ _id: 'child' });
});
