import { expect, test } from 'vitest';
import { decodeMessage } from '../../src/protocol/messages.ts';
import { Session } from '../../src/protocol/session.ts';
import { SimulatedLink } from '../simulation/link.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { Random } from '../support/random.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { wordy } from './wire.ts';

test.each([
  ['slow', 100, true],
  ['fast', 100_000, false],
])('on a %s link bulk is deflated by itself if that is worth it', async (_, bytesPerMs, packed) => {
  const clock = new VirtualClock();
  const uninstall = clock.install();
  try {
    const [alice, bob] = [wordy(8000), new TinyReplica()];
    const kinds = new Set<string>();
    const link = new SimulatedLink(clock, new Random(1), {
      latencyMs: [5, 5],
      bytesPerMs: [bytesPerMs, bytesPerMs],
      jitterMs: 0,
      maxFrameBytes: 65_536,
      highWaterMark: 1024 * 1024,
      arrives: (frame) => kinds.add(decodeMessage(frame as Uint8Array).kind),
    });
    const sessions = [new Session(link.ends[0], alice), new Session(link.ends[1], bob)];
    const ended = Promise.all(sessions.map((session) => session.run()));
    const synced = Promise.all(sessions.map((session) => session.firstSync()));
    await clock.run(clock.nowMs + 600_000);
    await synced;
    expect(bob.state).toEqual(alice.state);
    expect(kinds.has('packed')).toBe(packed);
    const closing = sessions[0]!.close();
    await clock.run(clock.nowMs + 10_000);
    await Promise.all([closing, ended]);
  } finally {
    uninstall();
  }
});
