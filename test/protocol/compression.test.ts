import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeMessage, MAX_PACKED_BYTES } from '../../src/protocol/messages.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { SimulatedLink } from '../simulation/link.ts';
import { Session } from '../../src/protocol/session.ts';
import { Random } from '../support/random.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { carOf, helloOf, join, scripted } from './wire.ts';

/** Text that deflates well, in commits of their own. */
function wordy(count: number): TinyReplica {
  const replica = new TinyReplica();
  for (let i = 0; i < count; i++) replica.put(`key:${i}`, 'so many words '.repeat(20) + i);
  return replica;
}

test('bulk is deflated where that is asked for, and live writes are not', async () => {
  const [alice, bob] = [wordy(1000), new TinyReplica()];
  const kinds: string[] = [];
  const joined = join(alice, bob, {
    alice: { compression: 'always' },
    onFrame: (frame) => kinds.push(decodeMessage(frame as Uint8Array).kind),
  });
  await joined.settled();
  expect(bob.state).toEqual(alice.state);
  expect(kinds).toContain('packed');
  const size = [...alice.cids()].reduce((sum, cid) => sum + alice.blockSize(cid)!, 0);
  expect(joined.fromAlice.bytes).toBeLessThan(size / 2);

  kinds.length = 0;
  alice.put('live', 1);
  await joined.alice.synced();
  expect(kinds).toContain('car');
  expect(kinds).not.toContain('packed');
  await Promise.all([joined.alice.close(), joined.ended]);
});

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

const bomb = deflateRawSync(new Uint8Array(50_000_000));
const three = wordy(3);
const car = carOf(three.cids().map((cid) => ({ cid, bytes: three.getBlock(cid) as Uint8Array })));
const deflated = deflateRawSync(car);

test.each([
  ['more than they say', bomb, 1000, 'malformed-frame'],
  ['less than they say', deflated, car.length + 1, 'malformed-frame'],
  ['nothing at all', Uint8Array.of(0xff, 0xff), 10, 'malformed-frame'],
  ['what is cut off', deflated.subarray(0, -3), car.length, 'malformed-frame'],
  ['too much at once', deflated, MAX_PACKED_BYTES + 1, 'limit-exceeded'],
  ['no bytes', deflated, 0, 'limit-exceeded'],
])('deflated bytes that are %s end the session', async (_, bytes, length, code) => {
  const replica = new TinyReplica();
  const { script, ended } = scripted(replica);
  script.say(helloOf({ blockCount: 3 }), { kind: 'expect', blocks: 3, bytes: 0 });
  script.say({ kind: 'packed', length, bytes });
  expect(await ended).toMatchObject({ name: 'ProtocolError', code });
  expect(replica.blockCount).toBe(0);
});
