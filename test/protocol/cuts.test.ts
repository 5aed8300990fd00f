import { expect, test } from 'vitest';
import { CarReader } from '../../src/car/reader.ts';
import { decodeMessage, encodeMessage } from '../../src/protocol/messages.ts';
import { Session } from '../../src/protocol/session.ts';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { nextTurn } from '../../src/turn.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, copyOf, filled, join, type Joined, outcome } from './wire.ts';

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

test('after a cut at any byte of a CAR, every block before it is kept, and the rest is sent', async () => {
  await forSeeds(setting('EMBERLINK_CUT_RUNS', 25), async (random) => {
    const [alice, bob] = diverged(random.oneIn(2));
    const before = bob.blockCount;
    // Where each block ends in Alice's CAR; a cut within the last one loses that.
    const cut = new CutWithinFrame(random.below(12 * 260));
    await cut.run(alice, bob, random);
    const whole = carEnds(cut.sent).filter((end) => end <= cut.delivered).length;
    expect(bob.blockCount - before).toBe(whole);
    [alice.repeated, bob.repeated] = [0, 0];

    const second = join(alice, bob);
    await second.settled();
    await second.alice.close();
    expect(await second.ended).toEqual([undefined, undefined]);
    expect(bob.state).toEqual(alice.state);
    expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
  });
});

test('peers that write, meet and lose each other at random all end up with the same', async () => {
  await forSeeds(12, ({ seed }) => simulate(seed));
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

/** Splits Alice's CAR into frames of any size, and lets nothing through after so many of its bytes. */
class CutWithinFrame {
  readonly #left: number;
  readonly sent: Uint8Array[] = [];
  delivered = 0;

  constructor(after: number) {
    this.#left = after;
  }

  async run(alice: TinyReplica, bob: TinyReplica, random: Random): Promise<void> {
    const [left, right] = createMemoryChannelPair();
    const send = left.send.bind(left);
    left.send = (frame) => {
      const message = decodeMessage(frame as Uint8Array);
      if (message.kind !== 'car') {
        if (this.delivered < this.#left) send(frame);
        return;
      }
      this.sent.push(message.bytes);
      const allowed = message.bytes.subarray(0, this.#left - this.delivered);
      for (let at = 0; at < allowed.length;) {
        const bytes = allowed.subarray(at, at + 1 + random.below(300));
        send(encodeMessage({ kind: 'car', bytes }));
        at += bytes.length;
        this.delivered += bytes.length;
      }
    };
    const sessions = [new Session(left, alice), new Session(right, bob)];
    const ended = Promise.all(sessions.map((session) => outcome(session.run())));
    // What came is stored within a few turns; then nothing moves any more.
    const quiet = Promise.all(sessions.map((session) => session.firstSync())).catch(() => {});
    await Promise.race([quiet, turnsOfEventLoop(40)]);
    left.cut();
    await ended;
  }
}

async function turnsOfEventLoop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

/** Where the blocks of a CAR end, counted from its beginning. */
function carEnds(parts: readonly Uint8Array[]): number[] {
  const reader = new CarReader();
  return parts.flatMap((part) =>
    Array.from(reader.push(part), ({ offset, length }) => offset + length),
  );
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
