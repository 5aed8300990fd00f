import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { WorkerAnswer, WorkerCall } from './pages/storage.ts';
import { bundlePage } from './support/bundle-page.ts';
import { BROWSERS } from './support/find-browser.ts';
import { launchBrowser } from './support/launch-browser.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

let site: Site;

beforeAll(async () => {
  const program = 'test/browser/pages/storage.ts';
  // A page without an origin may not load what another one serves.
  const inline = (await bundlePage(program)).replaceAll('</script', '<\\/script');
  site = await serveSite({
    entries: { storage: program },
    texts: {
      '/sandbox': '<!doctype html><iframe sandbox="allow-scripts" src="/inline"></iframe>',
      '/inline': `<!doctype html><script type="module">${inline}</script>`,
    },
  });
});

afterAll(() => site.close());

/** Where functions of a test run: a page, or a worker of it. */
interface Realm {
  evaluate<Args extends unknown[], Result>(
    action: (...args: Args) => Result,
    ...args: Args
  ): Promise<Awaited<Result>>;
}

/** A dedicated worker of the page, which runs the page's program and one function at a time. */
async function workerOf(page: Page): Promise<Realm> {
  const worker = await page.evaluateHandle(() => new Worker('/storage.js', { type: 'module' }));
  const call = (it: Worker, message: WorkerCall): Promise<WorkerAnswer> =>
    new Promise((resolve) => {
      it.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => resolve(data);
      it.postMessage(message);
    });
  return {
    evaluate: async <Args extends unknown[], Result>(
      action: (...args: Args) => Result,
      ...args: Args
    ): Promise<Awaited<Result>> => {
      const answer = await worker.evaluate(call, { text: String(action), args });
      if ('error' in answer) throw new Error(answer.error);
      return answer.value as Awaited<Result>;
    },
  };
}

/** Where a ledger of this storage can be opened. */
async function realmFor(place: 'indexeddb' | 'opfs', page: Page): Promise<Realm> {
  return place === 'opfs' ? workerOf(page) : (page as unknown as Realm);
}

/** Lets pages of the origin store so many bytes in all; without a number as many as before. */
async function limitQuota(page: Page, quotaSize?: number): Promise<void> {
  const session = await page.createCDPSession();
  const { origin } = new URL(site.url);
  await session.send('Storage.overrideQuotaForOrigin', {
    origin,
    ...(quotaSize === undefined ? {} : { quotaSize }),
  });
}

describe.each(BROWSERS)('a ledger in %s', (kind) => {
  const browser = useBrowser(kind);
  const newPage = (): Promise<Page> => browser().newPage(site.url);

  it('is kept by default, over a reload', async () => {
    const page = await newPage();
    const clock = await page.evaluate(async () => {
      const ledger = await emberlink.openLedger('kept');
      await ledger.bulk(Array.from({ length: 3000 }, (_, n) => ({ _id: `doc-${n}`, n })));
      const { clock } = await ledger.put({ _id: 'last', text: 'naïve' });
      await ledger.close();
      return clock.map(String);
    });
    await page.reload();
    const found = await page.evaluate(async () => {
      const ledger = await emberlink.openLedger('kept');
      const last = await ledger.get('last');
      const { stateMatches, documents } = await ledger.verify();
      await ledger.close();
      return { clock: ledger.clock.map(String), last, stateMatches, documents };
    });
    expect(found).toEqual({
      clock,
      last: { _id: 'last', text: 'naïve' },
      stateMatches: true,
      documents: 3001,
    });
  });

  it('is kept by the next page when its page was never closed', async () => {
    const page = await newPage();
    await page.evaluate(async () => {
      const ledger = await emberlink.openLedger('unclosed');
      for (let n = 0; n < 200; n++) await ledger.put({ _id: `doc-${n}`, n });
    });
    await page.close();
    const next = await newPage();
    const found = await next.evaluate(async () => {
      const ledger = await emberlink.openLedger('unclosed');
      const { stateMatches, documents } = await ledger.verify();
      return { stateMatches, documents, damage: ledger.recovery.damage };
    });
    expect(found).toEqual({ stateMatches: true, documents: 200, damage: [] });
  });

  it('says why where a page may keep nothing', async () => {
    const page = await browser().newPage(`${site.url}sandbox`);
    const frame = page.frames().at(-1) as Frame;
    await expect.poll(() => frame.evaluate(() => typeof globalThis.storage)).toBe('object');
    const refused = await frame.evaluate(() =>
      storage.failure(() => storage.IndexedDbPlace.open('nowhere')),
    );
    expect(refused).toMatchObject({
      name: 'LedgerError',
      code: 'no-storage',
      cause: 'SecurityError',
    });
    expect(refused.message).toMatch(/storage: 'memory'/);
  });

  // --- more than one place ---

  it('belongs to who opened it last: an earlier place fails, and has written nothing', async () => {
    const page = await newPage();
    const seen = await page.evaluate(async () => {
      const first = await storage.IndexedDbPlace.open('fenced');
      await first.append('a', Uint8Array.of(1));
      const second = await storage.IndexedDbPlace.open('fenced');
      const errors = [
        await storage.failure(() => first.append('a', Uint8Array.of(2))),
        await storage.failure(() => first.append('b', Uint8Array.of(2))),
        await storage.failure(() => first.destroy()),
      ];
      await second.append('a', Uint8Array.of(3));
      await first.close();
      await second.close();
      const third = await storage.IndexedDbPlace.open('fenced');
      const seen = { errors, list: third.list(), a: [...(await third.read('a', 0, 9))] };
      await third.close();
      return seen;
    });
    expect(seen.errors.map(({ name, code }) => [name, code])).toEqual(
      Array.from({ length: 3 }, () => ['StorageError', 'replaced']),
    );
    expect(seen.list).toEqual([{ name: 'a', size: 2 }]);
    expect(seen.a).toEqual([1, 3]);
  });

  it('does not take for its own what a later place has changed', async () => {
    const page = await newPage();
    const refused = await page.evaluate(async () => {
      const first = await storage.IndexedDbPlace.open('moved');
      await first.append('a', new Uint8Array(300_000).fill(1));
      const second = await storage.IndexedDbPlace.open('moved');
      await second.remove('a');
      return storage.failure(() => first.read('a', 0, 100));
    });
    expect(refused).toMatchObject({ name: 'StorageError', code: 'replaced' });
  });

  it('that is deleted while it is open says so, and begins anew', async () => {
    const [page, other] = [await newPage(), await newPage()];
    await page.evaluate(async () => {
      const place = await storage.IndexedDbPlace.open('deleted');
      await place.append('a', Uint8Array.of(1));
      Object.assign(globalThis, { place });
    });
    await other.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const request = indexedDB.deleteDatabase('emberlink/deleted');
          request.onsuccess = resolve;
          request.onerror = reject;
        }),
    );
    const seen = await page.evaluate(async () => {
      const { place } = globalThis as unknown as { place: import('../../src/index.ts').Place };
      const errors = [
        await storage.failure(() => place.append('a', Uint8Array.of(2))),
        await storage.failure(() => place.list()),
      ];
      const anew = await storage.IndexedDbPlace.open('deleted');
      const list = anew.list();
      await anew.append('b', Uint8Array.of(1));
      await place.close();
      await anew.append('b', Uint8Array.of(2));
      return { errors, list, b: [...(await anew.read('b', 0, 9))] };
    });
    expect(seen).toMatchObject({
      errors: [
        { name: 'StorageError', code: 'gone' },
        { name: 'StorageError', code: 'gone' },
      ],
      list: [],
      b: [1, 2],
    });
  });

  // --- versions ---

  it('of a newer version is left as it is', async () => {
    const page = await newPage();
    const seen = await page.evaluate(async () => {
      const newer = await storage.openDatabase('emberlink/newer', 99, (made) => {
        made.createObjectStore('elsewhere').put('of value', 'key');
      });
      newer.close();
      const refused = await storage.failure(() => storage.IndexedDbPlace.open('newer'));
      const again = await storage.openDatabase('emberlink/newer', 99, () => {});
      const value = await new Promise((resolve) => {
        const request = again.transaction('elsewhere').objectStore('elsewhere').get('key');
        request.onsuccess = () => resolve(request.result);
      });
      again.close();
      return { refused, value };
    });
    expect(seen.refused).toMatchObject({ name: 'StorageError', code: 'unsupported-version' });
    expect(seen.value).toBe('of value');
  });

  it('gives way to a newer version in another page', async () => {
    const [page, other] = [await newPage(), await newPage()];
    await page.evaluate(async () => {
      const place = await storage.IndexedDbPlace.open('overtaken');
      await place.append('a', Uint8Array.of(1));
      Object.assign(globalThis, { place });
    });
    await other.evaluate(async () => {
      (await storage.openDatabase('emberlink/overtaken', 2, () => {})).close();
    });
    const refused = await page.evaluate(() => {
      const { place } = globalThis as unknown as { place: import('../../src/index.ts').Place };
      return storage.failure(() => place.append('a', Uint8Array.of(2)));
    });
    expect(refused).toMatchObject({ name: 'StorageError', code: 'replaced' });
  });

  it('that is held by an older version says so, and opens once it is let go', async () => {
    const page = await newPage();
    const seen = await page.evaluate(async () => {
      // A page of a version that does not let go.
      const older = await storage.openDatabase('emberlink/held', 1, () => {});
      const refused = await storage.failure(() =>
        storage.openDatabase('emberlink/held', 2, (made) => made.createObjectStore('late')),
      );
      older.close();
      const upgraded: number[] = [];
      const opened = await storage.openDatabase('emberlink/held', 2, (made, from) => {
        upgraded.push(from);
        made.createObjectStore('wanted');
      });
      const stores = [...opened.objectStoreNames];
      opened.close();
      return { refused, upgraded, stores };
    });
    expect(seen.refused).toMatchObject({ name: 'LedgerError', code: 'locked' });
    // What had been given up changed nothing.
    expect(seen.upgraded).toEqual([1]);
    expect(seen.stores).toEqual(['wanted']);
  });

  // --- in a worker ---

  it('in OPFS is kept over a reload, and belongs to one worker at a time', async () => {
    const page = await newPage();
    const worker = await workerOf(page);
    await worker.evaluate(async () => {
      const ledger = await emberlink.openLedger('opfs', { storage: 'opfs' });
      for (let n = 0; n < 200; n++) await ledger.put({ _id: `doc-${n}`, n });
    });
    const other = await workerOf(await newPage());
    const locked = await other.evaluate(() =>
      storage.failure(() => storage.OpfsPlace.open('opfs')),
    );
    expect(locked).toMatchObject({ name: 'LedgerError', code: 'locked' });
    await page.reload();
    const found = await other.evaluate(async () => {
      const ledger = await emberlink.openLedger('opfs', { storage: 'opfs' });
      const { stateMatches, documents } = await ledger.verify();
      await ledger.destroy();
      const anew = await emberlink.openLedger('opfs', { storage: 'opfs' });
      const count = anew.count();
      await anew.close();
      return { stateMatches, documents, count };
    });
    expect(found).toEqual({ stateMatches: true, documents: 200, count: 0 });
  });

  it('in OPFS says that pages have no such files', async () => {
    const page = await newPage();
    const refused = await page.evaluate(() =>
      storage.failure(() => emberlink.openLedger('opfs', { storage: 'opfs' })),
    );
    expect(refused).toMatchObject({ name: 'LedgerError', code: 'no-storage' });
  });

  it('in OPFS has its files whole, whatever replacement a crash has cut off', async () => {
    const worker = await workerOf(await newPage());
    const seen = await worker.evaluate(async () => {
      const place = await storage.OpfsPlace.open('replaced');
      await place.replace('a', Uint8Array.of(1));
      await place.replace('b', Uint8Array.of(2));
      await place.replace('a', Uint8Array.of(3));
      await place.close();
      const root = await navigator.storage.getDirectory();
      const directory = await (
        await root.getDirectoryHandle('emberlink')
      ).getDirectoryHandle('replaced');
      const write = async (name: string, at: number, bytes: Uint8Array): Promise<void> => {
        const file = await directory.getFileHandle(name, { create: true });
        const handle = await (
          file as unknown as {
            createSyncAccessHandle(): Promise<
              import('../../src/storage/access-handle.ts').SyncAccessHandle
            >;
          }
        ).createSyncAccessHandle();
        handle.write(bytes, { at });
        handle.close();
      };
      const whole = async (): Promise<unknown> => {
        const again = await storage.OpfsPlace.open('replaced');
        const files = Object.fromEntries(
          again.list().map(({ name }) => [name, [...again.read(name, 0, 9)]]),
        );
        await again.close();
        const names: string[] = [];
        for await (const name of directory.keys()) names.push(name);
        return [files, names.sort()];
      };
      const seen: unknown[] = [];
      // A draft that was not finished; then one that was, and the table half written.
      await write('a~4', 0, Uint8Array.of(4));
      seen.push(await whole());
      await write('a~4', 0, Uint8Array.of(4));
      await write('~names', 0, new Uint8Array(2000).fill(7));
      seen.push(await whole());
      return seen;
    });
    const files = { a: [3], b: [2] };
    const names = ['a~3', 'b~2', '~names'];
    expect(seen).toEqual([
      [files, names],
      [files, names],
    ]);
  });

  it('in OPFS of a newer version is left as it is', async () => {
    const worker = await workerOf(await newPage());
    const seen = await worker.evaluate(async () => {
      const place = await storage.OpfsPlace.open('newer');
      await place.append('a', Uint8Array.of(1));
      await place.close();
      const root = await navigator.storage.getDirectory();
      const directory = await (
        await root.getDirectoryHandle('emberlink')
      ).getDirectoryHandle('newer');
      const text = new TextEncoder().encode('{"version":2,"sequence":9,"replaced":[]}');
      const slot = new Uint8Array(4096);
      slot.set(new Uint8Array(await crypto.subtle.digest('SHA-256', text)));
      slot.set(text, 32);
      const file = await directory.getFileHandle('~names');
      const handle = await (
        file as unknown as {
          createSyncAccessHandle(): Promise<
            import('../../src/storage/access-handle.ts').SyncAccessHandle
          >;
        }
      ).createSyncAccessHandle();
      handle.write(slot, { at: 4096 });
      handle.close();
      await directory.getFileHandle('b~9', { create: true });
      const refused = await storage.failure(() => storage.OpfsPlace.open('newer'));
      const names: string[] = [];
      for await (const name of directory.keys()) names.push(name);
      return { refused, names: names.sort() };
    });
    expect(seen.refused).toMatchObject({ name: 'StorageError', code: 'unsupported-version' });
    expect(seen.names).toEqual(['a', 'b~9', '~names']);
  });
});

describe('the quota of chromium', () => {
  const browser = useBrowser('chromium');

  it.each([
    ['opfs', 'a window'],
    ['indexeddb', 'a window'],
    ['opfs', 'a private window'],
    ['indexeddb', 'a private window'],
  ] as const)(
    'when it is used up %s in %s says so, keeps what it has, and goes on when there is room',
    async (place, window) => {
      const windows = window === 'a window' ? browser() : await browser().newContext();
      const page = await windows.newPage(site.url);
      const realm = await realmFor(place, page);
      await limitQuota(page, 5_000_000);
      const full = await realm.evaluate(async (kind) => {
        const ledger = await emberlink.openLedger('full', { storage: kind });
        let written = 0;
        const refused = await storage.failure(async () => {
          for (;;) {
            // What does not shrink.
            const bytes = crypto.getRandomValues(new Uint8Array(60_000));
            await ledger.put({ _id: `doc-${written}`, bytes });
            written++;
          }
        });
        const again = await storage.failure(() =>
          ledger.put({ _id: 'again', bytes: new Uint8Array(500_000) }),
        );
        Object.assign(globalThis, { ledger });
        return { refused, again, written, count: ledger.count() };
      }, place);
      expect(full.refused).toMatchObject({ name: 'StorageError', code: 'full' });
      expect(full.again).toMatchObject({ name: 'StorageError', code: 'full' });
      expect(full.written).toBeGreaterThan(10);
      expect(full.count).toBe(full.written);

      await limitQuota(page);
      const later = await realm.evaluate(async (kind) => {
        const { ledger } = globalThis as unknown as {
          ledger: import('../../src/index.ts').Ledger;
        };
        await ledger.put({ _id: 'later' });
        await ledger.close();
        const again = await emberlink.openLedger('full', { storage: kind });
        const { stateMatches, documents } = await again.verify();
        const { damage } = again.recovery;
        await again.destroy();
        return { stateMatches, documents, damage };
      }, place);
      expect(later).toEqual({ stateMatches: true, documents: full.written + 1, damage: [] });
    },
  );

  it('and its promise to keep data: asked for, and told', async () => {
    const page = await browser().newPage(site.url);
    const { origin } = new URL(site.url);
    const persisted = (): Promise<boolean> =>
      page.evaluate(async () => {
        const ledger = await emberlink.openLedger('promised', { persist: true });
        while (ledger.persisted === undefined) await new Promise((resolve) => setTimeout(resolve));
        const answer = ledger.persisted;
        await ledger.close();
        return answer;
      });
    expect(await persisted()).toBe(false);
    await page.browserContext().overridePermissions(origin, ['persistent-storage']);
    expect(await persisted()).toBe(true);
    expect(
      await page.evaluate(async () => {
        const ledger = await emberlink.openLedger('memory', { storage: 'memory', persist: true });
        return [
          typeof ledger.persisted,
          await storage.failure(() => emberlink.openLedger('x', { persist: 1 as never })),
        ];
      }),
    ).toMatchObject(['undefined', { code: 'invalid-option' }]);
  });
});

describe.each([
  ['chromium', 'indexeddb'],
  ['chromium', 'opfs'],
  ['firefox', 'indexeddb'],
  ['firefox', 'opfs'],
] as const)('a %s that is killed while it writes to %s', (kind, place) => {
  it('has lost nothing that was acknowledged', async () => {
    const profile = await mkdtemp(join(tmpdir(), 'emberlink-killed-'));
    onTestFinished(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }));
    let acknowledged = 0;
    for (const more of [100, 0]) {
      const browser = await launchBrowser(kind, { profile });
      const page = await browser.newPage(site.url);
      const realm = await realmFor(place, page);
      const found = await realm.evaluate(writeOn, place);
      expect(found).toMatchObject({ stateMatches: true, missing: 0 });
      expect(found.documents).toBeGreaterThanOrEqual(acknowledged);
      const wanted = found.documents + more;
      await expect
        .poll(async () => (acknowledged = await realm.evaluate(lastAcknowledged)))
        .toBeGreaterThanOrEqual(wanted);
      await browser.kill();
      // It puts back the settings that it has changed in the profile.
      const backup = join(profile, 'user.js.puppeteer');
      await expect.poll(() => existsSync(backup), { timeout: 10_000 }).toBe(false);
    }
  }, 120_000);
});

/** Opens a ledger, says what it holds, and goes on to write one document after the other. */
async function writeOn(
  kind: 'indexeddb' | 'opfs',
): Promise<{ documents: number; stateMatches: boolean; missing: number }> {
  const ledger = await emberlink.openLedger('killed', { storage: kind });
  const { documents, stateMatches } = await ledger.verify();
  Object.assign(globalThis, { acknowledged: documents });
  void (async () => {
    for (let n = documents; ; n++) {
      await ledger.put({ _id: `doc-${n}`, n, text: 'x'.repeat((n * 37) % 9000) });
      Object.assign(globalThis, { acknowledged: n + 1 });
      if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  })();
  return { documents, stateMatches, missing: ledger.recovery.missing.length };
}

function lastAcknowledged(): number {
  return (globalThis as unknown as { acknowledged: number }).acknowledged;
}
