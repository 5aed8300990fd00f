import { expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { Session } from '../../src/protocol/session.ts';
import { createMemoryChannelPair, type MemoryChannel } from '../../src/transports/memory.ts';
import { onVirtualTime } from '../fuzz/encounter.ts';
import type { VirtualClock } from '../simulation/virtual-clock.ts';
import { START_MS } from '../support/history.ts';
import { replaceRandomValues } from '../support/random-values.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';

const MESHES = setting('EMBERLINK_MESHES', 8);

/** More than any of these meshes takes to be quiet. */
const MAX_STEPS = 2_000_000;

/** Ledgers that hand on to each other what they get, over lines that are cut and made anew. */
class Mesh {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly ledgers: Ledger[] = [];
  readonly links: [number, number][];
  readonly #up = new Map<string, MemoryChannel>();
  readonly failures: unknown[] = [];
  /** Blocks that any of them received, twice received ones twice. */
  received = 0;

  constructor(clock: VirtualClock, random: Random, peers: number) {
    this.clock = clock;
    this.random = random;
    const links = new Map<string, [number, number]>();
    const add = (a: number, b: number): void => {
      if (a !== b) links.set(`${Math.min(a, b)}-${Math.max(a, b)}`, [a, b]);
    };
    for (let i = 1; i < peers; i++) add(random.below(i), i);
    for (let i = random.below(4) * peers; i > 0; i--) add(random.below(peers), random.below(peers));
    this.links = [...links.values()];
  }

  async open(peers: number): Promise<void> {
    const now = (): number => Math.floor(START_MS + this.clock.nowMs);
    for (let i = 0; i < peers; i++) {
      const ledger = await openLedger(`peer${i}`, { storage: 'memory', now });
      const { replica } = ledger;
      const receive = replica.receive.bind(replica);
      replica.receive = (blocks, origin) => {
        this.received += blocks.length;
        return receive(blocks, origin);
      };
      this.ledgers.push(ledger);
    }
  }

  connect(link: [number, number]): void {
    const name = String(link);
    if (this.#up.has(name)) return;
    const seed = this.random.below(1e6) + 1;
    const pair = createMemoryChannelPair({ maxDelayMs: this.random.pick([0, 5, 60]), seed });
    this.#up.set(name, pair[0]);
    const runs = link.map((peer, side) =>
      new Session(pair[side]!, this.ledgers[peer]!.replica).run(),
    );
    void Promise.allSettled(runs).then((outcomes) => {
      this.#up.delete(name);
      for (const outcome of outcomes) {
        const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
        if (error !== undefined && (error as { code?: string }).code !== 'peer-gone') {
          this.failures.push(error);
        }
      }
    });
  }

  connectAll(): void {
    for (const link of this.links) this.connect(link);
  }

  cut(link: [number, number]): void {
    this.#up.get(String(link))?.cut();
  }

  /** These write so often each, at any moment of so many milliseconds. */
  write(writers: readonly number[], times: number, spanMs: number): void {
    for (const writer of writers) {
      for (let i = 0; i < times; i++) {
        this.clock.after(this.random.below(spanMs), () => {
          const _id = `doc${this.random.below(30)}`;
          void this.ledgers[writer]!.put({ _id, [`of${writer}`]: this.clock.nowMs });
        });
      }
    }
  }

  async expectAgreement(): Promise<void> {
    const digests = await Promise.all(this.ledgers.map((ledger) => ledger.digest()));
    expect(new Set(digests).size).toBe(1);
    expect(this.failures).toEqual([]);
  }
}

test(
  'random meshes agree although links die and come, and a block takes hardly more than one way',
  async () => {
    const sum = { received: 0, needed: 0, flooded: 0 };
    await forSeeds(MESHES, (random) =>
      onVirtualTime(async (clock) => {
        const restore = replaceRandomValues((length) => random.bytes(length));
        const peers = 20 + random.below(31);
        const mesh = new Mesh(clock, random, peers);
        await mesh.open(peers);
        mesh.connectAll();
        await clock.run(clock.nowMs + 1000, MAX_STEPS);

        const writers = Array.from({ length: 2 + random.below(5) }, () => random.below(peers));
        mesh.write(writers, 8, 10_000);
        for (let i = random.below(3 * mesh.links.length); i > 0; i--) {
          const link = random.pick(mesh.links);
          clock.after(random.below(10_000), () => mesh.cut(link));
          clock.after(random.below(10_000), () => mesh.connect(link));
        }
        await clock.run(clock.nowMs + 15_000, MAX_STEPS);
        mesh.connectAll();
        await clock.run(clock.nowMs + 10_000, MAX_STEPS);
        await mesh.expectAgreement();

        // The second time the ways are known.
        mesh.write(writers, 3, 3000);
        await clock.run(clock.nowMs + 8000, MAX_STEPS);
        await mesh.expectAgreement();
        const before = { received: mesh.received, held: heldBy(mesh) };
        mesh.write(writers, 10, 10_000);
        await clock.run(clock.nowMs + 15_000, MAX_STEPS);
        await mesh.expectAgreement();
        const written = (heldBy(mesh) - before.held) / peers;
        sum.received += mesh.received - before.received;
        sum.needed += written * (peers - 1);
        sum.flooded += written * (2 * mesh.links.length - (peers - 1));
        for (const ledger of mesh.ledgers) await ledger.close();
        restore();
      }),
    );
    console.log(
      `blocks received: ${sum.received}, needed: ${sum.needed}, flooding: ${sum.flooded}`,
    );
    expect(sum.received).toBeLessThan(1.3 * sum.needed);
  },
  60_000 + MESHES * 30_000,
);

function heldBy(mesh: Mesh): number {
  return mesh.ledgers.reduce((held, { replica }) => held + replica.blockCount, 0);
}
