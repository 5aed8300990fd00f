import type { JSHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRoomSecret,
  type Document,
  joinRoom,
  type Ledger,
  type LedgerOptions,
  openLedger,
  type Room,
} from '../../src/index.ts';
import { createSignalingServer } from '../../src/server.ts';
import { BROWSERS } from './support/find-browser.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

/** For what takes new connections. */
const SOON = { timeout: 20_000 };

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(() => site.close());

/** A tab that has the ledger open. */
interface Tab {
  readonly page: Page;
  readonly ledger: JSHandle<Ledger>;
}

describe.each(BROWSERS)('tabs of %s', (kind) => {
  const browser = useBrowser(kind);
  /** Each test has a ledger of its own: what the pages of a browser store stays from test to test. */
  let count = 0;
  const newName = (): string => `${kind}-${++count}`;

  const openTab = async (name: string, options: LedgerOptions = {}): Promise<Tab> => {
    const page = await browser().newPage(site.url);
    return { page, ledger: await openIn(page, name, options) };
  };

  it('see at once what each of them writes, by functions too, and it is there after all reload', async () => {
    const name = newName();
    const [alice, bob, carol] = [await openTab(name), await openTab(name), await openTab(name)];
    const byTag = await carol.page.evaluateHandle(() => (note: Document) => note['tag'] as string);
    const red = async (): Promise<string[]> =>
      carol.ledger.evaluate(
        async (ledger, map) => (await ledger.query(map, { key: 'red' })).rows.map(({ id }) => id),
        byTag,
      );
    await put(bob, { _id: 'a', tag: 'red' });
    expect(await get(alice, 'a')).toEqual({ _id: 'a', tag: 'red' });
    expect(await red()).toEqual(['a']);
    const told = carol.ledger.evaluate(
      (ledger) =>
        new Promise<unknown>((resolve) => {
          ledger.subscribe(({ ids, origin }) => resolve({ ids, origin }));
        }),
    );
    await put(alice, { _id: 'b', tag: 'red' });
    expect(await told).toEqual({ ids: ['b'], origin: 'local' });
    expect(await red()).toEqual(['a', 'b']);
    expect(await alice.ledger.evaluate((ledger) => ledger.digest())).toBe(
      await bob.ledger.evaluate((ledger) => ledger.digest()),
    );

    for (const { page } of [alice, bob, carol]) await page.reload();
    const again = await openIn(carol.page, name);
    expect(await again.evaluate((ledger) => ledger.count())).toBe(2);
  });

  it('go on when the one that leads is closed or reloads while others write', async () => {
    const name = newName();
    const [alice, bob, carol] = [await openTab(name), await openTab(name), await openTab(name)];
    const writing = writeMany(carol, 'first', 100);
    await alice.page.close();
    await writing;
    expect(await ids(bob)).toEqual(numbered('first', 100));

    const more = writeMany(carol, 'second', 100);
    await bob.page.reload();
    await more;
    const again = await openIn(bob.page, name);
    expect(await again.evaluate(async (ledger) => (await ledger.allDocs()).rows.length)).toBe(200);
  });

  it('all close when one destroys the ledger', async () => {
    const name = newName();
    const [alice, bob] = [await openTab(name), await openTab(name)];
    await put(alice, { _id: 'a' });
    await bob.ledger.evaluate((ledger) => ledger.destroy());
    await expect
      .poll(() => failure(alice))
      .toBe(`LedgerError closed: ledger '${name}' was destroyed in another tab`);
    const again = await openIn(alice.page, name);
    expect(await again.evaluate((ledger) => ledger.count())).toBe(0);
  });

  it('are kept out by one that wants the ledger for itself', async () => {
    const name = newName();
    const alice = await openTab(name, { tabs: 'exclusive' });
    await put(alice, { _id: 'a' });
    const page = await browser().newPage(site.url);
    const refused = (options: LedgerOptions): Promise<string> =>
      page.evaluate(
        (it, opts) => emberlink.openLedger(it, opts).catch((error) => `${error.code}`) as never,
        name,
        options,
      );
    expect(await refused({})).toBe('locked');
    expect(await refused({ tabs: 'exclusive' })).toBe('locked');
    await alice.page.close();
    const bob = await openIn(page, name);
    expect(await bob.evaluate((ledger) => ledger.get('a'))).toEqual({ _id: 'a' });
  });

  it('sync with others, whichever of them has the ledger', async () => {
    const name = newName();
    const [alice, bob] = [await openTab(name), await openTab(name)];
    const other = await browser().newPage(site.url);
    const carols = await other.evaluateHandle(() =>
      emberlink.openLedger('carol', { storage: 'memory' }),
    );
    await alice.ledger.evaluate((ledger) =>
      ledger.bulk(Array.from({ length: 500 }, (_, n) => ({ _id: `doc:${n}`, n }))),
    );
    await carols.evaluate((ledger) => ledger.put({ _id: 'of carol' }));
    const fromBob = await bob.ledger.evaluateHandle((ledger) => new emberlink.Sync(ledger));
    const fromCarol = await carols.evaluateHandle((ledger) => new emberlink.Sync(ledger));
    const offer = await fromBob.evaluate((sync) => sync.offer());
    const answer = await fromCarol.evaluate((sync, text) => sync.accept(text), offer);
    await fromBob.evaluate((sync, text) => sync.connect(text), answer);
    await fromBob.evaluate((sync) => sync.backlog());
    expect(await carols.evaluate((ledger) => ledger.count())).toBe(501);
    expect(await get(alice, 'of carol')).toEqual({ _id: 'of carol' });
    await put(alice, { _id: 'live' });
    await fromBob.evaluate((sync) => sync.synced());
    expect(await carols.evaluate((ledger) => ledger.get('live'))).toEqual({ _id: 'live' });
    await fromBob.evaluate((sync) => sync.close());
  });

  it('follow a worker, which has storage that they have not', async () => {
    const name = newName();
    const page = await browser().newPage(site.url);
    const refused = await page.evaluate(
      (it) => emberlink.openLedger(it, { storage: 'opfs' }).catch((error) => `${error.code}`),
      name,
    );
    expect(refused).toBe('no-storage');
    await page.evaluate(async (it) => {
      const program = `import '${location.origin}/emberlink.js';
        const ledger = await emberlink.openLedger('${it}', { storage: 'opfs' });
        await ledger.put({ _id: 'of the worker' });
        postMessage('ready');`;
      const url = URL.createObjectURL(new Blob([program], { type: 'text/javascript' }));
      const worker = new Worker(url, { type: 'module' });
      await new Promise((resolve) => {
        worker.onmessage = resolve;
      });
    }, name);
    const tab = { page, ledger: await openIn(page, name, { storage: 'opfs' }) };
    await put(tab, { _id: 'of the page' });
    expect(await ids(tab)).toEqual(['of the page', 'of the worker']);
  });

  it('are one member of a room, and the next goes in when the one in it is closed', async () => {
    const server = createSignalingServer({ port: 0, host: '127.0.0.1', logLevel: 'error' });
    const { url } = await server.listen();
    const options = { room: 'garden', secret: createRoomSecret(), signaling: url, iceServers: [] };
    const bobs = await openLedger('bob', { storage: 'memory' });
    const bob = joinRoom(bobs, { ...options, connectTimeoutMs: 10_000 });
    try {
      const name = newName();
      const [alice, carol] = [await openTab(name), await openTab(name)];
      const join = ({ ledger }: Tab): Promise<JSHandle<Room>> =>
        ledger.evaluateHandle((it, opts) => emberlink.joinRoom(it, opts), options);
      const rooms = [await join(alice), await join(carol)];
      for (const room of rooms) {
        await expect.poll(() => room.evaluate((it) => it.status.state), SOON).toBe('live');
        await room.evaluate((it) => it.synced());
      }
      expect(bob.peers).toHaveLength(1);
      await bobs.put({ _id: 'of bob' });
      await put(carol, { _id: 'of carol' });
      await bob.synced();
      await expect.poll(() => ids(carol), SOON).toEqual(['of bob', 'of carol']);
      await expect.poll(() => bobs.get('of carol'), SOON).toEqual({ _id: 'of carol' });

      const before = bob.peers[0]!.id;
      await alice.page.close();
      await put(carol, { _id: 'after' });
      await expect
        .poll(() => bob.peers.map(({ id, state }) => id !== before && state), SOON)
        .toEqual(['live']);
      await expect.poll(() => bobs.get('after'), SOON).toEqual({ _id: 'after' });
      await rooms[1]!.evaluate((it) => it.leave());
    } finally {
      await bob.leave();
      await bobs.close();
      await server.close();
    }
  }, 60_000);

  it.runIf(kind === 'chromium')('lose nothing when the one that leads crashes', async () => {
    const name = newName();
    const [alice, bob, carol] = [await openTab(name), await openTab(name), await openTab(name)];
    browser().allow(/Page crashed/);
    const writing = writeMany(carol, 'doc', 100);
    const session = await alice.page.createCDPSession();
    session.send('Page.crash').catch(() => {});
    await writing;
    expect(await ids(bob)).toEqual(numbered('doc', 100));
    await put(bob, { _id: 'after' });
    expect(await get(carol, 'after')).toEqual({ _id: 'after' });
    await alice.page.close();
  });

  it.runIf(kind === 'chromium')(
    'take the place of one that is frozen, which follows when it is back',
    async () => {
      const name = newName();
      const [alice, bob] = [await openTab(name), await openTab(name)];
      await put(alice, { _id: 'a' });
      const session = await alice.page.createCDPSession();
      await session.send('Page.setWebLifecycleState', { state: 'frozen' });
      await put(bob, { _id: 'b' });
      expect(await ids(bob)).toEqual(['a', 'b']);
      await session.send('Page.setWebLifecycleState', { state: 'active' });
      await put(alice, { _id: 'c' });
      expect(await ids(alice)).toEqual(['a', 'b', 'c']);
      expect(await ids(bob)).toEqual(['a', 'b', 'c']);
    },
  );
});

function openIn(page: Page, name: string, options: LedgerOptions = {}): Promise<JSHandle<Ledger>> {
  return page.evaluateHandle((it, opts) => emberlink.openLedger(it, opts), name, options);
}

async function put({ ledger }: Tab, document: Document): Promise<void> {
  await ledger.evaluate(async (it, doc) => void (await it.put(doc)), document);
}

function get({ ledger }: Tab, id: string): Promise<Document | undefined> {
  return ledger.evaluate((it, which) => it.get(which), id);
}

function ids({ ledger }: Tab): Promise<string[]> {
  return ledger.evaluate(async (it) => (await it.allDocs()).rows.map(({ id }) => id));
}

/** Puts one document after the other. */
async function writeMany({ ledger }: Tab, prefix: string, count: number): Promise<void> {
  await ledger.evaluate(
    async (it, of, many) => {
      for (let n = 0; n < many; n++) await it.put({ _id: `${of}:${String(n).padStart(3, '0')}` });
    },
    prefix,
    count,
  );
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}:${String(n).padStart(3, '0')}`);
}

function failure({ ledger }: Tab): Promise<string> {
  return ledger.evaluate((it) =>
    it.get('a').then(
      () => 'none',
      (error) => `${error.name} ${error.code}: ${error.message}`,
    ),
  );
}
