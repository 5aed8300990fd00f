import { expect, test } from 'vitest';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, copyOf, filled, join, type Joined } from './wire.ts';

const SMALL_FRAMES = 1024;

function diverged(ancestry: boolean): [TinyReplica, TinyReplica] {
  const alice = filled(40, 'shared', { ancestry });
  const bob = copyOf(alice, { ancestry });
  addTo(alice, 12, 'a');
  addTo(bob, 9, 'b');
  return [alice, bob];
}

for (const ancestry of [true, false]) {
  const title = `after a cut at any frame the rest is sent, and only the rest, ${
    ancestry ? 'with' : 'without'
  } ancestry`;

  test(title, async () => {
    for (const [name, start] of [
      ['diverged', diverged],
      ['fresh', () => [filled(40, 'a', { ancestry }), new TinyReplica({ ancestry })]],
      ['fresh the other way', () => [new TinyReplica({ ancestry }), filled(40, 'b', { ancestry })]],
    ] as [string, (ancestry: boolean) => [TinyReplica, TinyReplica]][]) {
      let cutAtFrame = 0;
      for (let wasCut = true; wasCut;) {
        cutAtFrame++;
        const [alice, bob] = start(ancestry);
        const first = join(alice, bob, { cutAtFrame, maxFrameBytes: SMALL_FRAMES });
        const reached = await Promise.race([
          first.settled().then(() => true),
          first.ended.then(() => false),
        ]).catch(() => false);
        wasCut = !reached;
        if (reached) await first.alice.close();
        await first.ended;
        const held = alice.blockCount + bob.blockCount;
        [alice.repeated, bob.repeated] = [0, 0];

        const second = join(alice, bob, { maxFrameBytes: SMALL_FRAMES });
        await second.settled();
        await second.alice.close();
        const where = `${name}, cut at frame ${cutAtFrame}`;
        expect(bob.state, where).toEqual(alice.state);
        expect([alice.repeated, bob.repeated], where).toEqual([0, 0]);
        expect(held, where).toBeLessThanOrEqual(alice.blockCount + bob.blockCount);
      }
      expect(cutAtFrame).toBeGreaterThan(5);
    }
  });
}

test('peers that write, meet and lose each other at random all end up with the same', async () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  for (let round = 0; round < 12; round++) {
    const failure = await simulate(seed + round).catch((error: unknown) => error);
    if (failure !== undefined) throw new Error(`SEED=${seed + round}`, { cause: failure });
  }
});

/** Two or three peers in a row, some writes before, between and during their meetings. */
async function simulate(seed: number): Promise<void> {
  const random = seeded(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const peers = Array.from(
    { length: 2 + upTo(2) },
    () => new TinyReplica({ ancestry: random() < 0.7 }),
  );
  let writes = 0;
  const write = (): void => {
    const data = Array.from({ length: upTo(3) }, () => new Uint8Array(upTo(3000)).fill(writes));
    peers[upTo(peers.length)]!.put(`key${upTo(30)}`, writes++, data);
  };
  const meet = (cut: boolean): Joined[] =>
    peers.slice(1).map((peer, i) =>
      join(peers[i]!, peer, {
        maxFrameBytes: 1024 + upTo(8000),
        onFrame: () => {
          if (cut && random() < 0.1 && writes < 400) write();
        },
        ...(cut ? { cutAtFrame: 1 + upTo(60) } : {}),
      }),
    );

  for (let meeting = 0; meeting < 6; meeting++) {
    for (let i = upTo(25); i > 0; i--) write();
    const joined = meet(true);
    const met = Promise.all(joined.map((each) => each.settled())).then(
      () => undefined,
      () => undefined,
    );
    await met;
    for (const each of joined) each.cut();
    await Promise.all(joined.map((each) => each.ended));
  }

  const joined = meet(false);
  await Promise.all(joined.map((each) => each.settled()));
  // What the last link brought still has to travel back along the row, hop by hop.
  for (let hop = 0; hop < peers.length; hop++) {
    await Promise.all(joined.map((each) => each.settled()));
  }
  await Promise.all(joined.map((each) => each.alice.close()));
  for (const peer of peers) {
    expect(peer.state).toEqual(peers[0]!.state);
    expect(peer.blockCount).toBe(peers[0]!.blockCount);
    expect(peer.waitingCount).toBe(0);
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
