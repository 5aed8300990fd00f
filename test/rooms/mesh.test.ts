import { expect, test } from 'vitest';
import { childrenInTree, reachable, wantedLinks } from '../../src/rooms/topology.ts';
import { forSeeds, setting } from '../support/random.ts';
import { MemorySignaling } from '../support/memory-signaling.ts';
import { type Member, type Party, withParty } from './support.ts';

const SOON = { timeout: 20_000 };
const PEERS = setting('EMBERLINK_ROOM_PEERS', 50);

const linksOf = ({ room }: Member): number =>
  room.peers.filter(({ state }) => state === 'live' || state === 'syncing').length;

async function expectAllHave(party: Party, id: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const found = party.members.map(async ({ ledger }) => (await ledger.get(id)) !== undefined);
        return (await Promise.all(found)).filter((has) => !has).length;
      },
      { timeout: 30_000 },
    )
    .toBe(0);
}

test(
  `${PEERS} peers keep a bounded number of links each, and a write reaches everybody`,
  () =>
    withParty(async (party) => {
      for (let i = 0; i < PEERS; i++) {
        const { room } = await party.join(`peer-${i}`);
        if (i % 5 === 4) await room.synced();
      }
      await Promise.all(party.members.map(({ room }) => room.synced()));
      await expect
        .poll(() => Math.max(...party.members.map(linksOf)), { timeout: 60_000 })
        .toBeLessThanOrEqual(12);
      await expect
        .poll(() => Math.min(...party.members.map(linksOf)), { timeout: 30_000 })
        .toBeGreaterThanOrEqual(5);
      for (const { room } of party.members) {
        await expect.poll(() => room.peers.length, { timeout: 30_000 }).toBe(PEERS - 1);
      }

      const [first, last] = [party.members[0]!, party.members.at(-1)!];
      await first.ledger.put({ _id: 'from the first' });
      await last.ledger.put({ _id: 'from the last' });
      await expectAllHave(party, 'from the first');
      await expectAllHave(party, 'from the last');

      // What is not stored goes the same ways.
      const heard = new Set<Member>();
      for (const member of party.members) member.room.onMessage(() => heard.add(member));
      first.room.presence.set('first');
      last.room.broadcast('last');
      await expect
        .poll(() => party.members.filter(({ room }) => room.presence.all().size === 1).length, {
          timeout: 30_000,
        })
        .toBe(PEERS - 1);
      await expect.poll(() => heard.size, { timeout: 30_000 }).toBe(PEERS - 1);
    }),
  180_000,
);

test(
  'when members vanish without a word the others are linked anew, and nobody sees them',
  () =>
    withParty(async (party) => {
      for (let i = 0; i < 12; i++) await party.join(`peer-${i}`, { maxPeers: 4 });
      await Promise.all(party.members.map(({ room }) => room.synced()));
      const gone = party.members.filter((_, i) => i % 3 === 0);
      const stay = party.members.filter((_, i) => i % 3 !== 0);
      party.vanish(gone);
      await stay[0]!.ledger.put({ _id: 'still here' });
      await expect
        .poll(() => stay.map(({ room }) => room.peers.length), { timeout: 25_000 })
        .toEqual(stay.map(() => stay.length - 1));
      await expect
        .poll(
          async () => {
            const found = await Promise.all(stay.map(({ ledger }) => ledger.get('still here')));
            return found.filter((each) => each === undefined).length;
          },
          { timeout: 25_000 },
        )
        .toBe(0);
    }),
  90_000,
);

test('a newcomer is not shown one who has just vanished', () =>
  withParty(
    async (party) => {
      const bobs = new MemorySignaling();
      const signaling = [party.server.adapter('everybody'), bobs.adapter('bobs')];
      const alice = await party.join('alice', { signaling });
      const bob = await party.join('bob', { signaling: bobs.adapter('bobs') });
      const peersOf = ({ room }: Member): string[] =>
        room.peers.map(({ info }) => String(info)).sort();
      // Only alice can tell her of bob.
      const carol = await party.join('carol');
      await expect.poll(() => peersOf(carol), SOON).toEqual(['alice', 'bob']);
      await party.leave(carol);

      party.vanish([bob]);
      bobs.tamper = () => [];
      await expect.poll(() => linksOf(alice), SOON).toBe(0);
      const dave = await party.join('dave');
      const seen = new Set<string>();
      dave.room.subscribe(() => peersOf(dave).forEach((info) => seen.add(info)));
      await expect.poll(() => peersOf(alice), SOON).toEqual(['dave']);
      expect(linksOf(dave)).toBe(1);
      expect(seen).toEqual(new Set(['alice']));
    },
    { goneAfterMs: 100 },
  ));

// --- pure ---

test('whoever is in a room, the wanted links are mutual, few, and connect all', () =>
  forSeeds(200, async (random) => {
    const maxPeers = 2 + random.below(14);
    const ids = Array.from({ length: 1 + random.below(80) }, () => `${random.below(1e9)}`);
    const all = [...new Set(ids)];
    const links = new Map(
      all.map((id) => [
        id,
        wantedLinks(
          id,
          all.filter((other) => other !== id),
          maxPeers,
        ),
      ]),
    );
    for (const [id, wanted] of links) {
      expect(wanted.size).toBeLessThanOrEqual(maxPeers);
      for (const other of wanted) expect(links.get(other)!.has(id)).toBe(true);
    }
    expect(reachable(all[0]!, links).size).toBe(all.length);
    // Each but the origin has one parent in its tree.
    const origin = all[random.below(all.length)]!;
    const children = all.flatMap((id) => childrenInTree(id, origin, links));
    expect(children.sort()).toEqual(all.filter((id) => id !== origin).sort());
  }));

test('far ends of a large room are a few links away from each other', () => {
  const all = Array.from({ length: 64 }, (_, i) => `${String(i).padStart(3, '0')}`);
  const links = new Map(
    all.map((id) => [
      id,
      wantedLinks(
        id,
        all.filter((other) => other !== id),
        12,
      ),
    ]),
  );
  let [ring, hops] = [new Set(['000']), 0];
  while (ring.size < all.length) {
    ring = new Set([...ring].flatMap((id) => [id, ...links.get(id)!]));
    hops += 1;
  }
  expect(hops).toBeLessThanOrEqual(4);
});
