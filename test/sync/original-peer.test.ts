/** Our Sync with a peer that knows only the original wire form, over real WebRTC. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { Sync, type Ledger, type SyncStatus } from '../../src/index.ts';
import type { Block } from '../../src/blocks.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import { memoryLedger } from '../ledger/support.ts';
import { blocksOf } from '../support/history.ts';
import { OriginalPeer } from '../support/original-peer.ts';
import { TinyReplica } from '../support/tiny-replica.ts';

/** The most that one message of WebRTC holds. */
const MAX_MESSAGE_BYTES = 262_144;

type Side = 'offering' | 'answering';

async function meet(
  side: Side,
  source: Ledger | Replica,
  blocks: readonly Block[] = [],
): Promise<{ sync: Sync; original: OriginalPeer }> {
  const sync = new Sync(source, { iceServers: [] });
  const original = new OriginalPeer(side, blocks);
  onTestFinished(async () => {
    sync.destroy();
    await original.destroy();
  });
  if (side === 'offering') {
    original.connect(await sync.accept(await original.offer()));
  } else {
    sync.connect(await original.accept(await sync.offer({ format: 'original' })));
  }
  return { sync, original };
}

function ended(sync: Sync): Promise<Extract<SyncStatus, { state: 'closed' }>> {
  return new Promise((resolve) => {
    const look = (status: SyncStatus): void => {
      if (status.state === 'closed') resolve(status);
    };
    sync.subscribe(look);
    look(sync.status);
  });
}

function clockOf({ clock }: Ledger | Replica): string[] {
  return clock.map(String).sort();
}

describe.each<Side>(['offering', 'answering'])('an original peer on the %s side', (side) => {
  it('that is fresh gets everything as one CAR whose roots are the clock', async () => {
    const ledger = await memoryLedger('alice');
    for (let i = 0; i < 20; i++) await ledger.put({ _id: `doc:${i}`, text: 'x'.repeat(100) });
    const { sync, original } = await meet(side, ledger);
    expect(await sync.backlog()).toEqual({ ok: true });
    await original.until(() => original.cars.length > 0);
    expect(original.heard.map(({ kind }) => kind)).toEqual(['list', 'car']);
    expect(original.cars[0]).toMatchObject({ roots: clockOf(ledger) });
    expect(original.clock).toEqual(clockOf(ledger));
    expect(original.blocks.size).toBe(20);
    expect(sync.status).toEqual({ state: 'live' });
  });

  it('that meets a fresh ledger, both without anything, is told ok', async () => {
    const { sync, original } = await meet(side, await memoryLedger('alice'));
    await sync.backlog();
    await original.until(() => original.heard.length === 2);
    expect(original.heard).toEqual([{ kind: 'list', clock: [], cids: [] }, { kind: 'ok' }]);
  });

  it('that has the same content is told ok and gets no CAR', async () => {
    const ledger = await memoryLedger('alice');
    for (let i = 0; i < 50; i++) await ledger.put({ _id: `doc:${i}` });
    const { sync, original } = await meet(side, ledger, await blocksOf(ledger));
    await sync.backlog();
    await original.until(() => original.heard.length === 2);
    expect(original.heard.map(({ kind }) => kind)).toEqual(['list', 'ok']);
  });

  it('that has a part gets the rest', async () => {
    const ledger = await memoryLedger('alice');
    for (let i = 0; i < 30; i++) await ledger.put({ _id: `doc:${i}` });
    const part = await blocksOf(ledger);
    for (let i = 30; i < 40; i++) await ledger.put({ _id: `doc:${i}` });
    const { original } = await meet(side, ledger, part);
    await original.until(() => original.blocks.size === 40);
    expect(original.clock).toEqual(clockOf(ledger));
    expect(original.cars).toHaveLength(1);
    expect(original.cars[0]!.blocks).toBe(10);
  });

  it('gets each later write as one CAR with one root, the new head', async () => {
    const ledger = await memoryLedger('alice');
    await ledger.put({ _id: 'first' });
    const { sync, original } = await meet(side, ledger);
    await sync.backlog();
    const heads: string[] = [...clockOf(ledger)];
    for (let i = 0; i < 5; i++) {
      await ledger.put({ _id: 'counter', i });
      heads.push(...clockOf(ledger));
    }
    await original.until(() => original.blocks.size === 6);
    expect(original.cars.map(({ roots }) => roots)).toEqual(heads.map((head) => [head]));
    for (const [i, head] of heads.entries()) {
      expect(original.event(head).parents.map(String)).toEqual(heads.slice(Math.max(0, i - 1), i));
    }
    expect(original.clock).toEqual(clockOf(ledger));
  });

  it('gets more than one message holds in several CARs, none beyond the limit', async () => {
    const ledger = await memoryLedger('alice');
    const text = 'x'.repeat(600);
    await ledger.bulk(Array.from({ length: 2000 }, (_, i) => ({ _id: `doc:${i}`, text })));
    await ledger.put({ _id: 'large', text: 'y'.repeat(200_000) });
    const { sync, original } = await meet(side, ledger);
    await sync.synced();
    await original.until(() => original.blocks.size === ledger.replica.blockCount);
    expect(original.clock).toEqual(clockOf(ledger));
    const sizes = original.cars.map(({ bytes }) => bytes);
    expect(sizes.reduce((sum, bytes) => sum + bytes)).toBeGreaterThan(4 * MAX_MESSAGE_BYTES);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    expect(Math.max(...sizes)).toBeGreaterThan(200_000);
  });

  it('syncs with a ledger of 10,000 commits, whose CIDs one message does not hold', async () => {
    const ledger = await memoryLedger('alice');
    for (let i = 0; i < 10_000; i++) await ledger.put({ _id: `doc:${i}` });
    const { sync, original } = await meet(side, ledger);
    await sync.backlog();
    await original.until(() => original.blocks.size === 10_000);
    expect(original.clock).toEqual(clockOf(ledger));
  });

  it('gets what was written right before close', async () => {
    const ledger = await memoryLedger('alice');
    const { sync, original } = await meet(side, ledger);
    await sync.backlog();
    for (let i = 0; i < 20; i++) await ledger.put({ _id: `doc:${i}`, text: 'x'.repeat(20_000) });
    await sync.close();
    await original.closed();
    expect(original.blocks.size).toBe(20);
    expect(sync.status).toEqual({ state: 'closed' });
  });

  it('that leaves ends the Sync in order', async () => {
    const { sync, original } = await meet(side, await memoryLedger('alice'));
    await sync.backlog();
    await original.until(() => original.heard.length === 2);
    await original.destroy();
    expect(await ended(sync)).toEqual({ state: 'closed' });
  });

  it('merges with a replica of events of its own kind, first and live', async () => {
    const replica = new TinyReplica();
    for (let i = 0; i < 10; i++) replica.put(`ours:${i}`, i);
    const theirs = new TinyReplica();
    for (let i = 0; i < 10; i++) theirs.put(`theirs:${i}`, i);
    const blocks = theirs.cids().map((cid) => ({ cid, bytes: theirs.getBlock(cid) as Uint8Array }));
    const { sync, original } = await meet(side, replica, blocks);
    await sync.backlog();
    expect(Object.keys(replica.state)).toHaveLength(20);
    await original.until(() => original.blocks.size === 20);
    expect(original.clock).toEqual(clockOf(replica));
    expect(original.clock).toHaveLength(2);

    const applied = new Promise<void>((resolve) => {
      replica.watch(() => {
        if (replica.blockCount === 23) resolve();
      });
    });
    original.write({ key: 'live:1', value: 'theirs', links: [] });
    original.write({ key: 'live:2', value: 'theirs', links: [] });
    replica.put('live:3', 'ours');
    await Promise.all([applied, original.until(() => original.blocks.size === 23)]);
    expect(original.clock).toEqual(clockOf(replica));
    expect(replica.state).toMatchObject({
      'live:1': 'theirs',
      'live:2': 'theirs',
      'live:3': 'ours',
    });
  });

  it('that writes what is no commit of a ledger ends that Sync; the ledger is whole', async () => {
    const ledger = await memoryLedger('alice');
    await ledger.put({ _id: 'doc', n: 1 });
    const before = await ledger.digest();
    const { sync, original } = await meet(side, ledger);
    await sync.backlog();
    await original.until(() => original.blocks.size === 1);
    original.write({ key: 'doc', value: 2, type: 'put' });
    const { error } = await ended(sync);
    expect(error).toMatchObject({ name: 'ProtocolError', code: 'bad-block' });
    expect(await ledger.digest()).toBe(before);
  });
});
