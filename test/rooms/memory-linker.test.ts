import { describe, expect, it } from 'vitest';
import type { Link, LinkAttempt, LinkSignal } from '../../src/rooms/link.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { listen, numberedFrame } from '../suites/channel.suite.ts';
import { testLinks } from '../suites/link.suite.ts';
import { MemoryNetwork, type MemoryNetworkOptions } from '../support/memory-linker.ts';
import { Random, withSeed } from '../support/random.ts';

function testMemoryLinks(name: string, options: MemoryNetworkOptions): void {
  testLinks(
    name,
    () => new MemoryNetwork(new Random(1), options).linker('anybody'),
    async () => {
      const network = new MemoryNetwork(new Random(1), options);
      return {
        linker: network.linker('anybody'),
        stop: () => network.cut('anybody', 'anybody'),
        goOn: () => network.healAll(),
      };
    },
  );
}
testMemoryLinks('memory', {});
testMemoryLinks('memory with delays', { maxDelayMs: 5 });

/** Joins two members; the signals are heard at once. */
function join(network: MemoryNetwork, one: string, other: string): Promise<[Link, Link]> {
  const attempts: LinkAttempt[] = [];
  const waiting: { side: number; signal: LinkSignal }[] = [];
  for (const [side, member] of [one, other].entries()) {
    const attempt = network.linker(member)({
      initiator: side === 0,
      iceServers: [],
      connectTimeoutMs: 10_000,
      tell: (signal) => {
        waiting.push({ side: 1 - side, signal });
        if (attempts.length === 2)
          for (const next of waiting.splice(0)) attempts[next.side]!.hear(next.signal);
      },
    });
    attempts.push(attempt);
  }
  return Promise.all([attempts[0]!.connected, attempts[1]!.connected]);
}

describe('a network in memory', () => {
  it('loses nothing but datagrams when a line is cut and healed in time', () =>
    withSeed(3, async (random) => {
      const network = new MemoryNetwork(random);
      const [alice, bob] = await join(network, 'alice', 'bob');
      const atBob = listen(bob.channel);
      network.cut('bob', 'alice');
      for (let i = 0; i < 10; i++) alice.channel.send(numberedFrame(i, 10));
      alice.datagrams!.send(Uint8Array.of(1));
      let datagrams = 0;
      bob.datagrams!.listen(() => (datagrams += 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(atBob.frames.length).toBe(0);
      network.healAll();
      await atBob.count(10);
      expect(datagrams).toBe(0);
      alice.channel.destroy();
      await atBob.closed;
    }));

  it('tells of an end that came while the line was cut when it is healed', () =>
    withSeed(6, async (random) => {
      const network = new MemoryNetwork(random);
      const [alice, bob] = await join(network, 'alice', 'bob');
      network.cut('alice', 'bob');
      alice.channel.destroy();
      await alice.channel.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      bob.channel.send('still there?');
      network.heal('alice', 'bob');
      expect(await listen(bob.channel).closed).toBeUndefined();
    }));

  it('ends the links of a line that stays cut, and lets none come about until it is healed', () =>
    withSeed(4, async (random) => {
      const network = new MemoryNetwork(random, { goneAfterMs: 20 });
      const [alice, bob] = await join(network, 'alice', 'bob');
      network.partition(['alice'], ['bob', 'carol']);
      expect(await listen(alice.channel).closed).toMatchObject({ code: 'peer-gone' });
      expect(await listen(bob.channel).closed).toMatchObject({ code: 'peer-gone' });
      await expect.poll(() => network.size).toBe(0);
      const again = join(network, 'alice', 'carol');
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(network.size).toBe(0);
      network.heal('alice', 'carol');
      const [link] = await again;
      expect(network.size).toBe(1);
      link.channel.destroy();
    }));

  it('runs the same way again on virtual time', async () => {
    const run = async (): Promise<string> => {
      const clock = new VirtualClock();
      const uninstall = clock.install();
      const seen: string[] = [];
      try {
        const options = { maxDelayMs: 50, datagramLossPercent: 30 };
        const network = new MemoryNetwork(new Random(5), options);
        const members = Array.from({ length: 50 }, (_, i) => `m${i}`);
        for (const [i, member] of members.entries()) {
          void join(network, member, members[(i + 1) % 50]!).then(([one, other]) => {
            other.datagrams!.listen(([n]) => seen.push(`${clock.nowMs} ${member} ${n}`));
            other.control.listen(([n]) => seen.push(`${clock.nowMs} ${member}! ${n}`));
            for (let n = 0; n < 10; n++) {
              one.datagrams!.send(Uint8Array.of(n));
              one.control.send(Uint8Array.of(n));
            }
          });
        }
        await clock.run(60_000);
        expect(network.size).toBe(50);
      } finally {
        uninstall();
      }
      expect(seen.length).toBeGreaterThan(750);
      expect(seen.length).toBeLessThan(950);
      return seen.join();
    };
    expect(await run()).toBe(await run());
  });
});
