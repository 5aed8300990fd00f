import { describe, expect, onTestFinished, test } from 'vitest';
import type { Change, Ledger } from '../../src/ledger/ledger.ts';
import type { Document } from '../../src/ledger/document.ts';
import { guardReplica } from '../../src/ledger/guard-replica.ts';
import type { TabChannel } from '../../src/tabs/environment.ts';
import { TABS_VERSION } from '../../src/tabs/messages.ts';
import { memoryLedger } from '../ledger/support.ts';
import { join } from '../protocol/wire.ts';
import { FakeOrigin, type FakeTab } from './fake-origin.ts';

interface Opened {
  readonly tab: FakeTab;
  readonly ledger: Ledger;
}

async function openTabs(count: number): Promise<Opened[]> {
  const origin = new FakeOrigin();
  const opened: Opened[] = [];
  for (let i = 0; i < count; i++) {
    const tab = origin.newTab();
    opened.push({ tab, ledger: await tab.open('notes') });
  }
  onTestFinished(async () => {
    for (const { tab, ledger } of opened) {
      tab.thaw();
      if (tab.state !== 'killed') await ledger.close();
    }
  });
  return opened;
}

function changesOf(ledger: Ledger): Change[] {
  const changes: Change[] = [];
  ledger.subscribe((change) => changes.push(change));
  return changes;
}

/** This tab does not hear of changes of this document. */
function dropChangesOf(tab: FakeTab, id: string): void {
  const { environment } = tab;
  const openChannel = environment.openChannel.bind(environment);
  Object.assign(environment, {
    openChannel: (name: string, hear: (message: unknown) => void) =>
      openChannel(name, (message) => {
        const { change } = message as { change?: { ids: readonly string[] } };
        if (change?.ids.includes(id) !== true) hear(message);
      }),
  });
}

/** What this tab says is on its way until the function that is returned is called. */
function holdBack(tab: FakeTab): () => void {
  let held: (() => void)[] | undefined = [];
  const { environment } = tab;
  const openChannel = environment.openChannel.bind(environment);
  Object.assign(environment, {
    openChannel(...args: Parameters<typeof openChannel>): TabChannel {
      const channel = openChannel(...args);
      const post = (message: unknown): void => {
        if (held === undefined) channel.post(message);
        else held.push(() => channel.post(message));
      };
      return { post, close: () => channel.close() };
    },
  });
  return () => {
    const waiting = held ?? [];
    held = undefined;
    for (const post of waiting) post();
  };
}

describe('tabs that share a ledger', () => {
  test('read what they and the others write, and hear of it before it resolves', async () => {
    const [alice, bob, carol] = (await openTabs(3)) as [Opened, Opened, Opened];
    const heard = [alice, bob, carol].map(({ ledger }) => changesOf(ledger));
    const { clock } = await bob.ledger.put({ _id: 'song', title: 'Wildfire' });
    expect(bob.ledger.clock.map(String)).toEqual(clock.map(String));
    expect(bob.ledger.count()).toBe(1);
    expect(heard[1]).toMatchObject([{ ids: ['song'], origin: 'local' }]);
    expect(await alice.ledger.get('song')).toEqual({ _id: 'song', title: 'Wildfire' });
    expect(await carol.ledger.get('song')).toEqual({ _id: 'song', title: 'Wildfire' });
    await alice.ledger.put({ _id: 'song', title: 'Wildfire', plays: 1 });
    expect(await bob.ledger.get('song')).toEqual({ _id: 'song', title: 'Wildfire', plays: 1 });
    expect(heard.map((changes) => changes.length)).toEqual([2, 2, 2]);
  });

  test('write what was written in one turn as one commit', async () => {
    const [, bob] = (await openTabs(2)) as [Opened, Opened];
    const heard = changesOf(bob.ledger);
    await Promise.all(['a', 'b', 'c'].map((_id) => bob.ledger.put({ _id })));
    expect(heard.map(({ ids }) => ids)).toEqual([['a', 'b', 'c']]);
  });

  test('query by a map function where the ledger is not, and it stays up to date', async () => {
    const [alice, bob] = (await openTabs(2)) as [Opened, Opened];
    const byTag = (note: Document): string => note['tag'] as string;
    await alice.ledger.bulk([
      { _id: '1', tag: 'red' },
      { _id: '2', tag: 'blue' },
    ]);
    const red = async (): Promise<string[]> =>
      (await bob.ledger.query(byTag, { key: 'red' })).rows.map(({ id }) => id);
    expect(await red()).toEqual(['1']);
    await bob.ledger.put({ _id: '2', tag: 'red' });
    expect(await red()).toEqual(['1', '2']);
    await bob.ledger.del('1');
    expect(await red()).toEqual(['2']);
  });

  test('get errors as they were thrown', async () => {
    const [, bob] = (await openTabs(2)) as [Opened, Opened];
    await expect(bob.ledger.put({ _id: 'x', bad: undefined as never })).rejects.toMatchObject({
      name: 'DocumentError',
      code: 'invalid-value',
      path: 'bad',
    });
    await expect(bob.ledger.allDocs({ limit: -1 })).rejects.toMatchObject({
      name: 'LedgerError',
      code: 'invalid-option',
    });
    await expect(bob.ledger.get((() => 1) as never)).rejects.toThrow();
  });

  test('go on when the one that leads closes', async () => {
    const [alice, bob, carol] = (await openTabs(3)) as [Opened, Opened, Opened];
    await bob.ledger.put({ _id: 'a' });
    await alice.ledger.close();
    await expect(alice.ledger.get('a')).rejects.toMatchObject({ code: 'closed' });
    await carol.ledger.put({ _id: 'b' });
    expect((await bob.ledger.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(bob.ledger.count()).toBe(2);
  });

  test('lose nothing that was acknowledged, and answer what was not, when it is killed', async () => {
    const [alice, bob, carol] = (await openTabs(3)) as [Opened, Opened, Opened];
    const heard = changesOf(carol.ledger);
    await bob.ledger.put({ _id: 'before' });
    const pending = bob.ledger.put({ _id: 'during' });
    alice.tab.kill();
    await pending;
    expect((await carol.ledger.allDocs()).rows.map(({ id }) => id)).toEqual(['before', 'during']);
    expect(new Set(heard.flatMap(({ ids }) => ids))).toEqual(new Set(['before', 'during']));
  });

  test('take the place of one that is frozen, which follows when it is back', async () => {
    const [alice, bob] = (await openTabs(2)) as [Opened, Opened];
    await alice.ledger.put({ _id: 'a' });
    alice.tab.freeze();
    const lost = alice.ledger.put({ _id: 'b' });
    await bob.ledger.put({ _id: 'c' });
    alice.tab.thaw();
    await lost;
    expect((await bob.ledger.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect((await alice.ledger.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  test('follow again after more was said than a frozen one keeps', async () => {
    const [alice, bob, carol] = (await openTabs(3)) as [Opened, Opened, Opened];
    const heard = changesOf(carol.ledger);
    const tooMany = 10_100;
    for (const frozen of [carol, alice]) {
      frozen.tab.freeze(true);
      const { environment } = bob.tab;
      const channel = environment.openChannel('emberlink:notes', () => {});
      for (let n = 0; n < tooMany; n++) channel.post({ emberlink: TABS_VERSION, kind: 'busy' });
      await bob.ledger.put({ _id: frozen === carol ? 'a' : 'b' });
      channel.close();
      frozen.tab.thaw();
      await frozen.ledger.put({ _id: frozen === carol ? 'c' : 'd' });
    }
    for (const { ledger } of [alice, bob, carol]) {
      expect((await ledger.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    }
    await expect.poll(() => new Set(heard.flatMap(({ ids }) => ids)).size).toBe(4);
  });

  test('are told of every change, though their leader has not heard of them yet', async () => {
    const origin = new FakeOrigin();
    const [first, second] = [origin.newTab(), origin.newTab()];
    const letOut = holdBack(second);
    const [a, b] = await Promise.all([first.open('notes'), second.open('notes')]);
    const told = new Set<string>();
    b.subscribe(({ ids }) => ids.forEach((id) => told.add(id)));
    await a.put({ _id: 'before' });
    letOut();
    await a.put({ _id: 'meanwhile' });
    await expect.poll(() => told).toEqual(new Set(['before', 'meanwhile']));
    await a.put({ _id: 'after' });
    await expect.poll(() => told).toContain('after');
    expect(b.count()).toBe(3);
  });

  test('are told of what they wrote before it resolves, though they did not hear of it', async () => {
    const origin = new FakeOrigin();
    const [alice, bob] = [origin.newTab(), origin.newTab()];
    const ledger = await alice.open('notes');
    dropChangesOf(bob, 'mine');
    const following = await bob.open('notes');
    const told: string[] = [];
    following.subscribe(({ ids }) => told.push(...ids));
    await following.put({ _id: 'first' });
    const writing = following.put({ _id: 'mine' }).then(() => told.push('resolved'));
    await ledger.put({ _id: 'next' });
    await writing;
    expect(new Set(told.slice(0, told.indexOf('resolved')))).toEqual(
      new Set(['first', 'mine', 'next']),
    );
  });

  test('all close when one destroys the ledger, and may open it anew', async () => {
    const [alice, bob, carol] = (await openTabs(3)) as [Opened, Opened, Opened];
    await alice.ledger.put({ _id: 'a' });
    await bob.ledger.destroy();
    await expect(bob.ledger.get('a')).rejects.toMatchObject({ code: 'closed' });
    await expect
      .poll(() => carol.ledger.get('a').catch((error: unknown) => error))
      .toMatchObject({
        code: 'closed',
        message: expect.stringContaining('destroyed in another tab'),
      });
    const again = await carol.tab.open('notes');
    expect(again.count()).toBe(0);
    await again.close();
    await expect
      .poll(() => alice.ledger.get('a').catch((error: unknown) => error))
      .toMatchObject({
        message: expect.stringContaining('destroyed in another tab'),
      });
  });

  test('are kept out by one that wants the ledger for itself', async () => {
    const origin = new FakeOrigin();
    const [alice, bob] = [origin.newTab(), origin.newTab()];
    const ledger = await alice.open('notes', { tabs: 'exclusive' });
    await ledger.put({ _id: 'a' });
    await expect(bob.open('notes')).rejects.toMatchObject({ code: 'locked' });
    await expect(bob.open('notes', { tabs: 'exclusive' })).rejects.toMatchObject({
      code: 'locked',
    });
    await ledger.close();
    const shared = await bob.open('notes');
    expect(await shared.get('a')).toEqual({ _id: 'a' });
    await expect(alice.open('notes', { tabs: 'exclusive' })).rejects.toMatchObject({
      code: 'locked',
    });
    await shared.close();
  });

  test('are kept out while the one that has it for itself compacts', async () => {
    const origin = new FakeOrigin();
    const alice = origin.newTab();
    const ledger = await alice.open('notes', { tabs: 'exclusive', recentBytes: 0 });
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 10; n++) await ledger.put({ _id: 'a', round, n });
      const joining = origin.newTab().open('notes');
      const refused = expect(joining).rejects.toMatchObject({ code: 'locked' });
      expect((await ledger.compact()).dropped).toBeGreaterThan(0);
      await refused;
    }
    await ledger.close();
  });

  test('do not share it with another version of the library, which came before', async () => {
    const origin = new FakeOrigin();
    const [other, bob] = [origin.newTab(), origin.newTab()];
    void other.environment.locks.request('emberlink:notes', {}, () => new Promise(() => {}));
    const channel = other.environment.openChannel('emberlink:notes', () => {
      channel.post({ emberlink: TABS_VERSION + 1, kind: 'of the future' });
    });
    await expect(bob.open('notes')).rejects.toMatchObject({ code: 'other-version' });
    other.kill();
    const ledger = await bob.open('notes');
    const heard: unknown[] = [];
    const third = origin.newTab();
    third.environment
      .openChannel('emberlink:notes', (message) => heard.push(message))
      .post({ emberlink: TABS_VERSION + 1, kind: 'hello' });
    await expect.poll(() => heard[0]).toMatchObject({ emberlink: TABS_VERSION });
    await ledger.close();
  });

  test('sync in each of them, though another has the ledger, and rules hold there', async () => {
    const [alice, bob] = (await openTabs(2)) as [Opened, Opened];
    const carol = await memoryLedger('carol');
    await carol.bulk([{ _id: 'good' }, { _id: 'other' }]);
    await carol.put({ _id: 'bad' });
    const guarded = guardReplica(bob.ledger.replica, (incoming) =>
      incoming.kind === 'commit' ? incoming.operations.every(({ id }) => id !== 'bad') : true,
    );
    await alice.ledger.put({ _id: 'of alice' });
    const joined = join(guarded, carol.replica);
    await expect(joined.settled()).rejects.toMatchObject({ code: 'refused' });
    expect(await alice.ledger.get('good')).toEqual({ _id: 'good' });
    expect(await alice.ledger.get('bad')).toBeUndefined();
    expect(await carol.get('of alice')).toEqual({ _id: 'of alice' });
  });
});
