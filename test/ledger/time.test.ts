import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { START_MS } from '../support/history.ts';
import { commitBlock, putOf } from './commits.ts';
import { exchange, memoryLedger, nextChange, texts } from './support.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MINUTE_MS = 60_000;

describe('hybrid time', () => {
  test('grows from commit to commit though the wall clock stands, or goes back', async () => {
    let nowMs = START_MS;
    const alice = await memoryLedger('alice', { now: () => nowMs });
    for (let n = 0; n < 600; n++) {
      if (n === 300) nowMs -= 10_000;
      await alice.put({ _id: 'doc', n });
    }
    const history = await alice.history('doc');
    expect(history.map(({ set }) => set['n'])).toEqual(Array.from({ length: 600 }, (_, n) => n));
    // 256 commits fit into a millisecond of it.
    expect(history.at(-1)!.time).toBe(START_MS + 2);
  });

  test('lets a write win over what its writer has seen, whatever the clocks say', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS + MINUTE_MS });
    const bob = await memoryLedger('bob', { now: () => START_MS });
    await alice.put({ _id: 'doc', of: 'alice' });
    await exchange(alice, bob);
    await bob.put({ _id: 'doc', of: 'bob' });
    await exchange(alice, bob);
    expect(await alice.get('doc')).toEqual({ _id: 'doc', of: 'bob' });
    expect(await alice.conflicts('doc')).toEqual([]);
  });

  test('of a commit that is not later than its parents is refused', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS });
    const { clock } = await alice.put({ _id: 'doc', n: 1 });
    for (const timeMs of [0, START_MS - 1, START_MS]) {
      const late = commitBlock({ parents: clock, timeMs, operations: [putOf('doc', { n: 2 })] });
      await expect(alice.replica.receive([late])).rejects.toMatchObject({
        name: 'BlockError',
        code: 'impossible-time',
      });
      expect(alice.replica.has(late.cid)).toBe(false);
    }
    expect(alice.clock).toEqual(clock);
    expect(await alice.get('doc')).toEqual({ _id: 'doc', n: 1 });
  });
});

describe('a commit from too far in the future', () => {
  const toleranceMs = 5 * MINUTE_MS;
  /** It is due when the wall clock has gone on by 20 ms. */
  const early = commitBlock({
    timeMs: START_MS + toleranceMs + 20,
    operations: [putOf('early', { n: 1 })],
  });
  const child = commitBlock({
    parents: [early.cid],
    timeMs: START_MS + toleranceMs + 21,
    operations: [putOf('child', { n: 2 })],
  });

  test('is taken at once when it is within the five minutes', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS + 20 });
    await alice.replica.receive([early]);
    expect(await alice.get('early')).toEqual({ _id: 'early', n: 1 });
  });

  test('is held but not seen, then seen with its children when its time has come', async () => {
    let nowMs = START_MS;
    const alice = await memoryLedger('alice', { now: () => nowMs });
    await alice.put({ _id: 'mine', n: 0 });
    const { clock } = alice;
    await alice.replica.receive([early, child]);
    expect(alice.replica.has(early.cid)).toBe(true);
    expect(alice.replica.has(child.cid)).toBe(true);
    expect(await alice.replica.getBlock(child.cid)).toEqual(child.bytes);
    expect(await alice.get('early')).toBeUndefined();
    expect(alice.clock).toEqual(clock);

    const changed = nextChange(alice);
    nowMs += MINUTE_MS;
    expect((await changed).ids).toEqual(['early', 'child']);
    expect(await alice.get('child')).toEqual({ _id: 'child', n: 2 });
    expect(texts(alice.clock)).toHaveLength(2);
    await alice.replica.receive([early, child]);
    expect((await alice.verify()).commits).toBe(3);
  });

  test('survives a restart before its time', async () => {
    const folder = temporaryFolder();
    let nowMs = START_MS;
    const options = { folder, now: (): number => nowMs };
    const first = await openLedger('alice', options);
    await first.replica.receive([child, early]);
    await first.close();

    const second = await openLedger('alice', options);
    expect(second.replica.has(early.cid)).toBe(true);
    expect(second.replica.has(child.cid)).toBe(true);
    expect(second.clock).toEqual([]);
    const changed = nextChange(second);
    nowMs += MINUTE_MS;
    await changed;
    expect(await second.get('child')).toEqual({ _id: 'child', n: 2 });
    await second.close();

    const third = await openLedger('alice', options);
    expect(await third.get('child')).toEqual({ _id: 'child', n: 2 });
    expect(await third.get('early')).toEqual({ _id: 'early', n: 1 });
    await third.close();
  });

  test('is there at once in a ledger that is opened after its time', async () => {
    const folder = temporaryFolder();
    const first = await openLedger('alice', { folder, now: () => START_MS });
    await first.replica.receive([early, child]);
    await first.close();
    const second = await openLedger('alice', { folder, now: () => START_MS + MINUTE_MS });
    expect(await second.get('child')).toEqual({ _id: 'child', n: 2 });
    expect(second.recovery).toEqual({ damage: [], missing: [], unreadable: [], rejected: [] });
    await second.close();
  });

  test('does not take others with it when one of them turns out to be impossible', async () => {
    let nowMs = START_MS;
    const alice = await memoryLedger('alice', { now: () => nowMs });
    const stranger = commitBlock({ timeMs: 1, operations: [putOf('x', {})] });
    const impossible = commitBlock({
      parents: [early.cid],
      timeMs: START_MS + toleranceMs + 21,
      operations: [putOf('impossible', {}, [stranger.cid])],
    });
    await alice.replica.receive([early, impossible, child]);
    const changed = nextChange(alice);
    nowMs += MINUTE_MS;
    await changed;
    expect(alice.recovery.rejected).toMatchObject([
      { error: { name: 'BlockError', code: 'impossible-replaces' } },
    ]);
    expect(texts(alice.recovery.rejected.map(({ cid }) => cid))).toEqual(texts([impossible.cid]));
    expect(await alice.get('child')).toEqual({ _id: 'child', n: 2 });
    expect(await alice.get('impossible')).toBeUndefined();
  });

  test('is refused at once when it could never be', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS });
    const stranger = commitBlock({ timeMs: 1, operations: [putOf('x', {})] });
    const impossible = commitBlock({
      timeMs: START_MS + 10 * toleranceMs,
      operations: [putOf('impossible', {}, [stranger.cid])],
    });
    await expect(alice.replica.receive([impossible])).rejects.toMatchObject({
      code: 'impossible-replaces',
    });
    expect(alice.replica.has(impossible.cid)).toBe(false);
  });
});

describe('commits that wait', () => {
  test('are refused beyond their bound, and the ledger goes on', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS, maxParkedBytes: 2000 });
    const waiting = Array.from({ length: 100 }, (_, n) =>
      commitBlock({ timeMs: START_MS * 2, operations: [putOf(`waiting ${n}`, {})] }),
    );
    await expect(alice.replica.receive(waiting)).rejects.toMatchObject({
      name: 'BlockError',
      code: 'too-many-parked',
    });
    const held = waiting.filter(({ cid }) => alice.replica.has(cid));
    const bytes = held.reduce((sum, block) => sum + block.bytes.length, 0);
    expect(bytes).toBeGreaterThan(1900);
    expect(bytes).toBeLessThanOrEqual(2000);

    await alice.put({ _id: 'mine', n: 1 });
    const other = commitBlock({ timeMs: START_MS, operations: [putOf('other', { n: 2 })] });
    await alice.replica.receive([other]);
    expect((await alice.allDocs()).rows.map(({ id }) => id)).toEqual(['mine', 'other']);
    expect(await alice.verify()).toMatchObject({ commits: 2, corrupt: [], stateMatches: true });
  });

  test('for a parent that is long due set no timer: nothing but the parent can help them', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS });
    const parent = commitBlock({ timeMs: START_MS - 2, operations: [putOf('parent', {})] });
    const orphan = commitBlock({
      parents: [parent.cid],
      timeMs: START_MS - 1,
      operations: [putOf('orphan', {})],
    });
    const timers = vi.spyOn(globalThis, 'setTimeout');
    onTestFinished(() => timers.mockRestore());
    await alice.replica.receive([orphan]);
    expect(alice.replica.has(orphan.cid)).toBe(true);
    expect(timers).not.toHaveBeenCalled();
  });

  test('for a parent make room for others when a snapshot brings them', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS, maxParkedBytes: 1000 });
    const bob = await memoryLedger('bob', { now: () => START_MS, recentBytes: 0 });
    for (let round = 0; round < 20; round++) {
      await bob.put({ _id: 'parent', round });
      const { clock } = await bob.put({ _id: 'child', round });
      const bytes = (await bob.replica.getBlock(clock[0]!))!;
      await alice.replica.receive([{ cid: clock[0]!, bytes }]);
      await bob.compact();
      const snapshot: Block[] = [];
      for await (const block of bob.replica.history.snapshot()) snapshot.push(block);
      await alice.replica.receive(snapshot);
      expect(await alice.get('child')).toEqual({ _id: 'child', round });
    }
  });

  test('for a parent make room for others when it comes', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS, maxParkedBytes: 1000 });
    for (let round = 0; round < 20; round++) {
      const parent = commitBlock({
        timeMs: START_MS,
        operations: [putOf(`parent ${round}`, {})],
      });
      const children = Array.from({ length: 5 }, (_, n) =>
        commitBlock({
          parents: [parent.cid],
          timeMs: START_MS + 1,
          operations: [putOf(`child ${round} ${n}`, {})],
        }),
      );
      await alice.replica.receive(children);
      expect(alice.clock).toHaveLength(5 * round);
      await alice.replica.receive([parent]);
      expect(alice.clock).toHaveLength(5 * round + 5);
    }
    expect(alice.count()).toBe(120);
  });

  test('in a long chain, last one first, are applied when the first one comes', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS + 60_000 });
    const chain = [commitBlock({ timeMs: START_MS, operations: [putOf('doc', { n: 0 })] })];
    for (let n = 1; n < 5000; n++) {
      const parent = chain.at(-1)!.cid;
      chain.push(
        commitBlock({
          parents: [parent],
          timeMs: START_MS + n,
          operations: [putOf('doc', { n }, [parent])],
        }),
      );
    }
    await alice.replica.receive(chain.slice(1).reverse());
    expect(await alice.get('doc')).toBeUndefined();
    await alice.replica.receive(chain.slice(0, 1));
    expect(await alice.get('doc')).toEqual({ _id: 'doc', n: 4999 });
    expect(await alice.conflicts('doc')).toEqual([]);
  });
});
