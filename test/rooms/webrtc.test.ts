import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { TestServers } from '../signaling/client.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { expectEqual } from '../sync/support.ts';
import { type Party, withParty } from './support.ts';

const SECONDS = setting('EMBERLINK_ROOM_SECONDS', 10);
const TIMEOUT_MS = 60_000;

const servers = new TestServers();

afterAll(() => servers.close());

const openLedgers = (count: number): Promise<Ledger[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) => openLedger(`peer-${i}`, { storage: 'memory' })),
  );

/** Everybody is linked with everybody. */
async function expectLive(party: Party): Promise<void> {
  const links = (): number[] =>
    party.members.map(({ room }) => room.peers.filter(({ state }) => state === 'live').length);
  const others = party.members.length - 1;
  await expect.poll(links, { timeout: TIMEOUT_MS }).toEqual(party.members.map(() => others));
}

test(
  'members of two signaling servers are together by way of one that is at both',
  () =>
    withParty(async (party) => {
      const [first, second] = await Promise.all([servers.start(), servers.start()]);
      const ledgers = await openLedgers(5);
      const urls = [first.url, first.url, second.url, second.url, [first.url, second.url]];
      for (const [i, ledger] of ledgers.entries()) party.enterForReal(ledger, urls[i]!);
      await expectLive(party);
      for (const ledger of ledgers) await ledger.put({ _id: ledger.name });
      await Promise.all(party.members.map(({ room }) => room.synced()));
      await expectEqual(...ledgers);
      expect(ledgers[0]!.count()).toBe(5);
    }),
  TIMEOUT_MS,
);

test(
  `eight members write for ${SECONDS} s, leave and come back, and agree at the end`,
  () =>
    forSeeds(1, (random) =>
      withParty(async (party) => {
        const { url } = await servers.start();
        const ledgers = await openLedgers(8);
        for (const ledger of ledgers) party.enterForReal(ledger, url);
        const until = performance.now() + SECONDS * 1000;
        const writes = ledgers.map((ledger) => writeUntil(until, ledger, random));
        while (performance.now() < until) {
          await sleep(random.below(2000));
          await comeOrGo(party, ledgers, url, random);
        }
        await Promise.all(writes);
        for (const ledger of ledgers) {
          if (!party.members.some((member) => member.ledger === ledger))
            party.enterForReal(ledger, url);
        }
        await expectLive(party);
        await Promise.all(party.members.map(({ room }) => room.synced()));
        await expectEqual(...ledgers);
      }),
    ),
  SECONDS * 1000 + 2 * TIMEOUT_MS,
);

/** Its own documents, and fields of those that all write. */
async function writeUntil(until: number, ledger: Ledger, random: Random): Promise<void> {
  for (let n = 0; performance.now() < until; n++) {
    const own = { _id: `${ledger.name}:${n}`, n };
    const shared = { _id: `shared:${random.below(20)}`, [`field-${random.below(5)}`]: n };
    const gone = `${ledger.name}:${random.below(n + 1)}`;
    if (random.oneIn(10)) await ledger.del(gone);
    else await ledger.put(random.oneIn(2) ? own : shared);
    await sleep(random.below(20));
  }
}

/** One leaves, or one that had left is there again; four at least are there at any time. */
async function comeOrGo(
  party: Party,
  ledgers: readonly Ledger[],
  url: string,
  random: Random,
): Promise<void> {
  const ledger = random.pick(ledgers);
  const member = party.members.find((each) => each.ledger === ledger);
  if (member === undefined) party.enterForReal(ledger, url);
  else if (party.members.length > 4) await party.leave(member);
}
