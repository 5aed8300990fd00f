import { expect, test } from 'vitest';
import { deflate } from '../../src/protocol/deflate.ts';
import { decodeMessage, MAX_PACKED_BYTES } from '../../src/protocol/messages.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { carOf, helloOf, join, scripted, wordy } from './wire.ts';

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

const bomb = await deflate(new Uint8Array(50_000_000));
const three = wordy(3);
const car = carOf(three.cids().map((cid) => ({ cid, bytes: three.getBlock(cid) as Uint8Array })));
const deflated = await deflate(car);

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
