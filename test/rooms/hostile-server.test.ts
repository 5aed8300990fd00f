import { expect, test } from 'vitest';
import type { Envelope } from '../support/memory-signaling.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { type Party, withParty } from './support.ts';

const RUNS = setting('EMBERLINK_HOSTILE_SERVERS', 2);
/** A bound on a hang, not on speed. */
const LIMIT_MS = 60_000 + RUNS * 30_000;

const live = (party: Party): number[] =>
  party.members.map(({ room }) => room.peers.filter(({ state }) => state === 'live').length);

/** Everybody is linked with everybody, and what one writes reaches the others. */
async function expectTogether(party: Party): Promise<void> {
  const others = party.members.length - 1;
  await expect
    .poll(() => live(party), { timeout: 25_000 })
    .toEqual(party.members.map(() => others));
  const [first] = party.members;
  await first!.ledger.put({ _id: 'together' });
  await first!.room.synced();
  for (const { ledger } of party.members) expect(await ledger.get('together')).toBeDefined();
}

type Tamper = (
  envelope: Envelope,
  kept: readonly Envelope[],
  random: Random,
  party: Party,
) => Envelope[];

/** Three come together although their server does this to each envelope; `kept` are all that came. */
async function expectTogetherDespite(
  tamper: Tamper,
  check: (party: Party) => void = () => {},
): Promise<void> {
  await forSeeds(RUNS, (random) =>
    withParty(async (party) => {
      const kept: Envelope[] = [];
      party.server.tamper = (envelope) => {
        kept.push(envelope);
        return tamper(envelope, kept, random, party);
      };
      for (const name of ['alice', 'bob', 'carol']) await party.join(name);
      await expectTogether(party);
      check(party);
    }),
  );
}

test(
  'a server that drops, repeats, delays and reorders only costs time',
  () =>
    expectTogetherDespite((envelope, kept, random, { server }) => {
      if (random.oneIn(4)) return [];
      if (random.oneIn(3)) return [envelope, envelope];
      if (random.oneIn(3)) setTimeout(() => server.deliver(envelope), random.below(500));
      // Old ones, to whomever they were for.
      return random.oneIn(2) ? [kept[random.below(kept.length)]!] : [envelope];
    }),
  LIMIT_MS,
);

test(
  'a server that swaps, forges and spoils envelopes links nobody with the wrong one',
  () =>
    expectTogetherDespite(
      (envelope, kept, random) => {
        const other = kept[random.below(kept.length)]!;
        const forged: Envelope[] = [
          // To another one, from another one, back to its author, of another conversation, damaged.
          { ...envelope, to: other.to },
          { ...envelope, from: other.from },
          { ...envelope, to: envelope.from, from: envelope.to },
          { ...envelope, data: other.data },
          { ...envelope, data: `${envelope.data.slice(0, 40)}AAAA${envelope.data.slice(44)}` },
          { ...envelope, data: '' },
        ];
        return random.oneIn(3) ? [forged[random.below(forged.length)]!, envelope] : [envelope];
      },
      (party) => {
        for (const { room, ledger } of party.members) {
          const others = party.members.filter((each) => each.room !== room);
          const seen = room.peers.map(({ id, info }) => `${id} ${String(info)}`).sort();
          expect(seen, ledger.name).toEqual(
            others.map((each) => `${each.room.id} ${each.ledger.name}`).sort(),
          );
        }
      },
    ),
  LIMIT_MS,
);

test('what a server kept of yesterday makes nobody appear who is not there', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    await bob.room.leave();
    await expect.poll(() => alice.room.peers).toEqual([]);
    const old = [...party.server.log];
    const attempts = party.attempts;
    const carol = await party.join('carol');
    await carol.room.synced();
    for (const envelope of old) {
      for (const to of new Set(party.server.log.map((each) => each.from))) {
        party.server.deliver({ ...envelope, to });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(alice.room.peers.map(({ info }) => info)).toEqual(['carol']);
    expect(carol.room.peers.map(({ info }) => info)).toEqual(['alice']);
    expect(party.attempts).toBe(attempts + 1);
  }));

test('a server sees neither names nor descriptions, and no envelope twice', () =>
  withParty(async (party) => {
    await party.join('alice');
    // Three letters would be found in random text now and then.
    const bob = await party.join('bob-the-builder');
    await bob.room.synced();
    const { log } = party.server;
    const seen = JSON.stringify(log) + log.map(({ data }) => atob(toBase64(data))).join();
    for (const secret of ['garden', 'alice', 'bob-the-builder', bob.room.id, 'offer', 'knock']) {
      expect(seen).not.toContain(secret);
    }
    expect(new Set(log.map(({ data }) => data)).size).toBe(log.length);
    expect(log.length).toBeGreaterThan(3);
  }));

test('a server that tells of thousands of members, and floods with rubbish, is borne', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    const [{ room, from, to }] = party.server.log as [Envelope];
    for (let i = 0; i < 5000; i++) {
      party.server.enter(room, to, String(i).padStart(22, '0'));
      party.server.deliver({ room, from: String(i).padStart(22, 'x'), to, data: 'A'.repeat(100) });
      party.server.deliver({ room, from, to, data: 'A'.repeat(100) });
    }
    await expectTogether(party);
    expect(party.server.log.length).toBeLessThan(2000);
    expect(alice.room.peers).toHaveLength(1);
  }));

function toBase64(base64url: string): string {
  return base64url.replaceAll('-', '+').replaceAll('_', '/');
}
