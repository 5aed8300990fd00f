import type { JSHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { PastedSignaling, Room, RoomOptions } from '../../src/index.ts';
import { TestServers } from '../signaling/client.ts';
import { TcpRelay } from '../support/tcp-relay.ts';
import { hasTurnServer, TurnServer } from '../support/turn-server.ts';
import { type Handle, Peer } from './support/peer.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

const SOON = { timeout: 60_000, interval: 100 };
const hasTurn = hasTurnServer();
if (!hasTurn) console.warn('skipped: there is no turnserver here (Debian: apt-get install coturn)');

const servers = new TestServers();
let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(async () => {
  await servers.close();
  await site.close();
});

/** A ledger in a room. */
interface Member extends Peer {
  readonly name: string;
  readonly room: Handle<Room>;
}

const ROOM = { room: 'garden', secret: 'a long passphrase', iceServers: [] } as const;

async function join(
  page: Page | 'node',
  name: string,
  options: Pick<RoomOptions, 'signaling'> & Partial<RoomOptions>,
): Promise<Member> {
  const peer = await Peer.open(page, name, { storage: 'memory' });
  const room = await peer.ledger.evaluateHandle(
    (ledger, how) => globalThis.emberlink.joinRoom(ledger, how),
    { ...ROOM, info: name, ...options },
  );
  return Object.assign(peer, { name, room });
}

/** Everybody sees all others, linked. */
async function expectLive(...members: Member[]): Promise<void> {
  const seen = (): Promise<string[][]> =>
    Promise.all(
      members.map(({ room }) =>
        room.evaluate(({ peers }) => peers.map(({ info, state }) => `${String(info)} ${state}`)),
      ),
    );
  const live = members.map((own) =>
    members.filter((member) => member !== own).map(({ name }) => `${name} live`),
  );
  await expect
    .poll(async () => (await seen()).map((peers) => peers.sort()), SOON)
    .toEqual(live.map((peers) => peers.sort()));
}

/** Everybody has stored what everybody has written by now. */
async function expectSynced(...members: Member[]): Promise<void> {
  await Promise.all(members.map(({ room }) => room.evaluate((it) => it.synced())));
  const digests = await Promise.all(members.map((member) => member.digest()));
  expect(new Set(digests).size).toBe(1);
}

async function leave(...members: Member[]): Promise<void> {
  for (const member of members) {
    await member.room.evaluate((room) => room.leave());
    await member.close();
  }
}

describe('a room', () => {
  // Firefox would not speak to a TURN server of its own machine.
  const firefoxPrefs = { 'media.peerconnection.ice.loopback': true };
  const browsers = {
    chromium: useBrowser('chromium'),
    firefox: useBrowser('firefox', { firefoxPrefs }),
  };

  const pages = (): Promise<[Page, Page]> =>
    Promise.all([browsers.chromium().newPage(site.url), browsers.firefox().newPage(site.url)]);

  /** A signaling server on a line of its own. */
  async function startServer(): Promise<{ url: string; line: TcpRelay }> {
    const { url } = await servers.start();
    const line = await TcpRelay.open(Number(new URL(url).port));
    onTestFinished(() => line.close());
    return { url: `ws://127.0.0.1:${line.port}`, line };
  }

  /** Browsers complain of each WebSocket that does not come about, Firefox of links that fail too. */
  function allowCutLines(): void {
    browsers.chromium().allow(/WebSocket connection to/);
    browsers.firefox().allow(/connect.* to (the server at )?wss?:|ICE failed/);
  }

  it('of Chromium, Firefox and Node goes on without its server, and takes back who reloads', async () => {
    const { url, line } = await startServer();
    const [chromium, firefox] = await pages();
    const alice = await join(chromium, 'alice', { signaling: url });
    const bob = await join(firefox, 'bob', { signaling: url });
    const carol = await join('node', 'carol', { signaling: url });
    await Promise.all([alice, bob, carol].map((member) => member.fill(member.name, 200)));
    await expectLive(alice, bob, carol);
    await expectSynced(alice, bob, carol);
    expect(await bob.get('carol:199')).toMatchObject({ number: 199 });
    await alice.room.evaluate(({ presence }) => presence.set({ x: 3 }));
    await expect
      .poll(() => bob.room.evaluate(({ presence }) => [...presence.all().values()]), SOON)
      .toEqual([{ x: 3 }]);

    line.cut();
    allowCutLines();
    await bob.put({ _id: 'without a server' });
    await expectSynced(alice, bob, carol);
    line.mend();

    // In memory: it has nothing left.
    await firefox.reload();
    const again = await join(firefox, 'bob', { signaling: url });
    await expectLive(alice, again, carol);
    await expectSynced(alice, again, carol);
    expect(await again.get('without a server')).toBeDefined();
    await leave(alice, again, carol);
  }, 180_000);

  it('is left at once by a page that is reloaded, goes elsewhere or is closed, and comes back', async () => {
    const { url } = await servers.start();
    const alice = await join('node', 'alice', { signaling: url });
    const newPage = (): Promise<Page> => browsers.chromium().newPage(site.url);
    /** Whoever says nothing is given up after 7 s. */
    const expectGoneSoon = (): Promise<void> =>
      expect
        .poll(() => alice.room.evaluate(({ peers }) => peers.length), { timeout: 4000 })
        .toBe(0);
    const page = await newPage();
    await expectLive(alice, await join(page, 'bob', { signaling: url }));
    await page.reload();
    await expectGoneSoon();
    await expectLive(alice, await join(page, 'bob', { signaling: url }));
    await page.goto('about:blank');
    await expectGoneSoon();
    const another = await newPage();
    await expectLive(alice, await join(another, 'bob', { signaling: url }));
    await another.close();
    await expectGoneSoon();
    await leave(alice);
  }, 60_000);

  it('of pages begins without a server, by two texts that are pasted', async () => {
    const [chromium, firefox] = await pages();
    const enter = async (
      page: Page,
      name: string,
    ): Promise<Member & { pasted: Handle<PastedSignaling> }> => {
      const peer = await Peer.open(page, name, { storage: 'memory' });
      const pasted = (await page.evaluateHandle(
        () => new globalThis.emberlink.PastedSignaling({ iceServers: [] }),
      )) as JSHandle as Handle<PastedSignaling>;
      const room = await peer.ledger.evaluateHandle(
        (ledger, how, signaling) =>
          globalThis.emberlink.joinRoom(ledger, {
            ...how,
            signaling: signaling as unknown as PastedSignaling,
          }),
        { ...ROOM, info: name },
        pasted,
      );
      return Object.assign(peer, { name, room, pasted });
    };
    const [alice, bob] = [await enter(chromium, 'alice'), await enter(firefox, 'bob')];
    await alice.put({ _id: 'of alice' });
    const offer = await alice.pasted.evaluate((it) => it.offer());
    const answer = await bob.pasted.evaluate((it, text) => it.accept(text), offer);
    await alice.pasted.evaluate((it, text) => it.connect(text), answer);
    await expectLive(alice, bob);
    await bob.put({ _id: 'of bob' });
    await expectSynced(alice, bob);
    expect(await bob.get('of alice')).toBeDefined();

    await firefox.close();
    const seen = (): Promise<unknown> =>
      alice.pasted.evaluate(({ lines }) => lines.map(({ status }) => status.state));
    await expect.poll(() => alice.room.evaluate(({ peers }) => peers), SOON).toEqual([]);
    await expect.poll(seen, SOON).toEqual(['closed']);
    await leave(alice);
  }, 60_000);

  it.skipIf(!hasTurn)(
    'behind a TURN server comes back after all its lines were cut',
    async () => {
      const { url, line } = await startServer();
      const turn = await TurnServer.start();
      onTestFinished(() => turn.stop());
      const turnLine = await TcpRelay.open(turn.port);
      onTestFinished(() => turnLine.close());
      const options = {
        signaling: url,
        iceTransportPolicy: 'relay',
        iceServers: [
          { ...turn.iceServer(), urls: `turn:127.0.0.1:${turnLine.port}?transport=tcp` },
        ],
      } as const;
      const [chromium, firefox] = await pages();
      const [alice, bob] = [
        await join(chromium, 'alice', options),
        await join(firefox, 'bob', options),
      ];
      await expectLive(alice, bob);
      await alice.put({ _id: 'before' });
      await expectSynced(alice, bob);

      line.cut();
      turnLine.cut();
      allowCutLines();
      await Promise.all([alice.put({ _id: 'of alice' }), bob.put({ _id: 'of bob' })]);
      for (const { room } of [alice, bob]) {
        await expect.poll(() => room.evaluate(({ status }) => status.state), SOON).toBe('offline');
      }
      expect(await bob.get('of alice')).toBeUndefined();

      line.mend();
      turnLine.mend();
      await expectLive(alice, bob);
      await expectSynced(alice, bob);
      expect(await bob.get('of alice')).toBeDefined();
      await leave(alice, bob);
    },
    180_000,
  );

  it('keeps a member whose tab is in the background on a slow machine', async () => {
    const { url } = await startServer();
    const page = await browsers.chromium().newPage(site.url);
    const alice = await join(page, 'alice', { signaling: url });
    const bob = await join('node', 'bob', { signaling: url });
    await expectLive(alice, bob);
    const gone = await bob.room.evaluateHandle((room) => {
      const seen = { times: 0 };
      room.subscribe(({ peers }) => {
        if (peers.length === 0) seen.times++;
      });
      return seen;
    });

    await page.emulateCPUThrottling(6);
    await (await browsers.chromium().newPage(site.url)).bringToFront();
    expect(await page.evaluate(() => document.visibilityState)).toBe('hidden');
    for (let round = 0; round < 10; round++) {
      await bob.put({ _id: `bob:${round}` });
      await alice.put({ _id: `alice:${round}` });
      await expectSynced(alice, bob);
      // Whoever is silent for 7 s is looked after.
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    expect(await gone.evaluate(({ times }) => times)).toBe(0);
    await leave(alice, bob);
  }, 120_000);
});
