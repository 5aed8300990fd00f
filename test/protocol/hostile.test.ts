import { encode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import { type Block, blockOf } from '../../src/blocks.ts';
import { CarReader } from '../../src/car/reader.ts';
import { MAX_SYMBOLS } from '../../src/protocol/diff/difference.ts';
import { packCids } from '../../src/protocol/diff/list.ts';
import { encodeCounts, encodeSymbols } from '../../src/protocol/diff/riblt.ts';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  MIN_WINDOW_BYTES,
} from '../../src/protocol/messages.ts';
import { Session } from '../../src/protocol/session.ts';
import { KEPT_SYMBOLS, Sketch } from '../../src/sketch.ts';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, carOf, commitOf, filled, helloOf, outcome, type Script, scripted } from './wire.ts';

const raw = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const tagged = (tag: number, fields: unknown): Uint8Array =>
  Uint8Array.from([tag, ...encode(fields)]);

const KNOWN: Message = { kind: 'known' };
const UNKNOWN: Message = { kind: 'unknown', size: 0, counts: raw() };
const DONE: Message = { kind: 'done' };
const EXPECT: Message = { kind: 'expect', blocks: 1, bytes: 0 };
const EMPTY_LIST = packCids([]);
const foreign = commitOf('foreign', 1);
/** A hello of somebody who holds one commit that nobody knows. */
const STRANGER = helloOf({ heads: [foreign.cid], blockCount: 1 });
/** Half a hundred blocks make symbols worth while; whoever has more of them reads, the other tells. */
const HELD = 40;
const SKETCH = new Sketch(0, KEPT_SYMBOLS);
for (const cid of [foreign.cid, ...filled(HELD).cids()]) SKETCH.add(cid.multihash.digest);
const TELLER = helloOf({ heads: [foreign.cid], blockCount: 1 });
const READER = helloOf({ heads: [foreign.cid], blockCount: 1000 });
const SUMMARY: Extract<Message, { kind: 'unknown' }> = {
  kind: 'unknown',
  size: SKETCH.size,
  counts: encodeCounts(SKETCH),
};
const symbols = (fields: Partial<Extract<Message, { kind: 'symbols' }>>): Message => ({
  kind: 'symbols',
  salt: raw(),
  first: 0,
  end: 20,
  size: SKETCH.size,
  cells: encodeSymbols(SKETCH, 0, 10),
  ...fields,
});
const want = (keys: number, last: boolean): Message => ({
  kind: 'want',
  keys: new Uint8Array(keys * 16),
  last,
});
const have = (last: boolean): Message => ({ kind: 'have', list: packCids([foreign.cid]), last });

/** Each peer holds ten commits before. What is said, and the code that the session ends with. */
const cases: [title: string, code: string, ...said: (Message | Uint8Array | string)[]][] = [
  ['an empty frame', 'malformed-frame', raw()],
  ['text that is no JSON', 'malformed-frame', 'hello'],
  ['text after the hello', 'malformed-frame', STRANGER, 'hello'],
  ['an unknown tag', 'malformed-frame', raw(99, 1, 2)],
  ['a hello that is no cbor', 'malformed-frame', raw(1, 0xff, 0xff)],
  [
    'a hello that claims a giant array',
    'malformed-frame',
    raw(1, 0x9b, 0, 0, 0, 255, 255, 255, 255, 255),
  ],
  [
    'a hello that is nested without end',
    'malformed-frame',
    raw(1, ...new Uint8Array(60_000).fill(0x81)),
  ],
  ['a hello of the wrong shape', 'malformed-frame', tagged(1, [1, 2])],
  ['a hello that is no array', 'malformed-frame', tagged(1, 'hello')],
  [
    'a hello with a negative count',
    'malformed-frame',
    tagged(1, [1, raw(), [], false, -1, 2 ** 23, 2 ** 16, raw(), 0, false, 0]),
  ],
  [
    'a hello with half a head',
    'malformed-frame',
    tagged(1, [1, raw(1, 2, 3), [], false, 1, 2 ** 23, 2 ** 16, raw(), 0, false, 0]),
  ],
  [
    'a hello with something that is no CID',
    'malformed-frame',
    tagged(1, [1, raw(), [raw(1, 2)], false, 1, 2 ** 23, 2 ** 16, raw(), 0, false, 0]),
  ],
  ['another version', 'unsupported-version', tagged(1, [7, 'whatever', 'may', 'follow'])],
  [
    'too many heads',
    'limit-exceeded',
    tagged(1, [
      1,
      new Uint8Array(257 * 32),
      [],
      false,
      300,
      2 ** 23,
      2 ** 16,
      raw(),
      0,
      false,
      0,
      true,
    ]),
  ],
  [
    'a window that no block fits into',
    'limit-exceeded',
    helloOf({ windowBytes: MIN_WINDOW_BYTES - 1 }),
  ],
  ['frames too small', 'limit-exceeded', helloOf({ maxFrameBytes: 10 })],
  ['something before the hello', 'unexpected-message', KNOWN],
  ['two hellos', 'unexpected-message', STRANGER, STRANGER],
  ['known twice', 'unexpected-message', STRANGER, KNOWN, KNOWN],
  ['known and unknown', 'unexpected-message', STRANGER, UNKNOWN, KNOWN],
  ['known from who is empty', 'unexpected-message', helloOf(), KNOWN],
  ['a list before both said unknown', 'unexpected-message', STRANGER, have(true)],
  ['an expectation from who is empty', 'unexpected-message', helloOf(), EXPECT],
  ['an expectation twice', 'unexpected-message', STRANGER, KNOWN, EXPECT, EXPECT],
  ['done without an expectation', 'unexpected-message', STRANGER, KNOWN, DONE],
  ['done twice', 'unexpected-message', STRANGER, KNOWN, EXPECT, DONE, DONE],
  ['stored beyond what was sent', 'unexpected-message', STRANGER, { kind: 'stored', bytes: 1 }],
  ['stored nothing', 'unexpected-message', STRANGER, { kind: 'stored', bytes: 0 }],
  ['a list of counts that is cut off', 'malformed-frame', STRANGER, { ...SUMMARY, counts: raw(1) }],
  ['a salt of the wrong length', 'malformed-frame', STRANGER, symbols({ salt: raw(1, 2, 3) })],
  ['keys that are cut off', 'malformed-frame', STRANGER, tagged(13, [raw(1, 2, 3), true])],
  ['a hold when nothing is streamed', 'unexpected-message', STRANGER, { kind: 'hold' }],
  ['a go without a hold', 'unexpected-message', STRANGER, { kind: 'go', cids: [] }],
  [
    'a go with too many heads',
    'limit-exceeded',
    STRANGER,
    tagged(15, [new Uint8Array(257 * 32), []]),
  ],
  ['symbols before both said unknown', 'unexpected-message', STRANGER, symbols({})],
  ['CAR bytes without bytes', 'malformed-frame', STRANGER, raw(6)],
  ['bytes after a bare tag', 'malformed-frame', STRANGER, raw(2, 0)],
  ['a CAR that is none', 'bad-block', STRANGER, { kind: 'car', bytes: raw(3, 1, 2, 3) }],
  [
    'a CAR with a varint without end',
    'bad-block',
    STRANGER,
    { kind: 'car', bytes: new Uint8Array(64).fill(0xff) },
  ],
  ['something after bye', 'unexpected-message', STRANGER, { kind: 'bye' }, KNOWN],
  ['an abort', 'aborted-by-peer', STRANGER, { kind: 'abort', reason: 'bad-block', text: 'no' }],
  [
    'an abort of a reason that nobody knows',
    'malformed-frame',
    STRANGER,
    tagged(9, ['because', '']),
  ],
];

for (const [title, code, ...said] of cases) {
  test(`${title}: the session ends with ${code}, and the replica is as before`, async () => {
    const replica = filled(10);
    const before = replica.state;
    const { script, session, ended } = scripted(replica);
    for (const each of said) {
      script.send(
        typeof each === 'string' || each instanceof Uint8Array ? each : encodeMessage(each),
      );
    }
    const error = await ended;
    expect(error).toMatchObject({ name: 'ProtocolError', code });
    expect(session.state).toEqual({ kind: 'ended', error });
    if (code !== 'aborted-by-peer') expect((await script.hear('abort')).reason).toBe(code);
    expect(replica.state).toEqual(before);
  });
}

test('the abort for an unknown version names the version that is spoken', async () => {
  const { script } = scripted(filled(1));
  script.send(tagged(1, [2]));
  expect((await script.hear('abort')).text).toBe(
    'the other side speaks version 2, this side speaks 1',
  );
});

test('a block that does not match its hash ends the session; the ones before it are kept', async () => {
  const replica = new TinyReplica();
  const { script, ended } = scripted(replica);
  const good = commitOf('good', 1);
  const bad: Block = { cid: commitOf('x', 1).cid, bytes: commitOf('x', 2).bytes };
  const never = commitOf('never', 3);
  script.say(STRANGER, EXPECT, { kind: 'car', bytes: carOf([good, bad, never]) });
  expect(await ended).toMatchObject({
    code: 'bad-block',
    cause: { name: 'BlockError', code: 'hash-mismatch' },
  });
  expect((await script.hear('abort')).reason).toBe('bad-block');
  expect(replica.state).toEqual({ good: 1 });
});

test('a block may come twice, and in pieces of one byte', async () => {
  const replica = new TinyReplica();
  const { script, session } = scripted(replica);
  const commit = commitOf('key', 'value');
  const car = carOf([commit, commit]);
  script.say(STRANGER, EXPECT);
  for (const byte of car) script.say({ kind: 'car', bytes: raw(byte) });
  script.say(DONE);
  await session.firstSync();
  expect(replica.state).toEqual({ key: 'value' });
  while ((await script.hear('stored')).bytes < car.length);
  await script.close();
});

test('done counts only when the CAR bytes before it are stored', async () => {
  let release = (): void => {};
  class Gated extends TinyReplica {
    override async receive(blocks: readonly Block[], origin?: object): Promise<void> {
      await new Promise<void>((resolve) => (release = resolve));
      await super.receive(blocks, origin);
    }
  }
  const replica = new Gated();
  const { script, session } = scripted(replica);
  script.say(STRANGER, EXPECT, { kind: 'car', bytes: carOf([foreign]) }, DONE);
  // An answer to something said later shows that everything before has been looked at.
  const commit = replica.put('mine', 1);
  await script.hear('car');
  expect(session.state.kind).toBe('syncing');
  release();
  await session.firstSync();
  expect(replica.has(commit)).toBe(true);
  expect(replica.state).toMatchObject({ foreign: 1 });
  await script.close();
});

test('lists that never end, empty parts and parts after the last are refused', async () => {
  const unknownBoth = async (): Promise<{ script: Script; ended: Promise<unknown> }> => {
    const { script, ended } = scripted(filled(10));
    script.say(STRANGER, UNKNOWN);
    await script.hear('unknown');
    return { script, ended };
  };
  const afterLast = await unknownBoth();
  afterLast.script.say(have(true), have(true));
  expect(await afterLast.ended).toMatchObject({ code: 'unexpected-message' });

  const empty = await unknownBoth();
  empty.script.say({ kind: 'have', list: EMPTY_LIST, last: false });
  expect(await empty.ended).toMatchObject({ code: 'unexpected-message' });

  const endless = await unknownBoth();
  const digests = new Uint8Array(2000 * 32);
  const part = encodeMessage({ kind: 'have', list: { digests, others: [] }, last: false });
  for (let i = 0; i <= 2000; i++) endless.script.send(part);
  expect(await endless.ended).toMatchObject({ code: 'limit-exceeded' });
});

/** What is said to who reads, or tells, once both have told their summaries. */
const inDifference: [title: string, code: string, hello: Message, ...said: Message[]][] = [
  ['symbols from who reads', 'unexpected-message', READER, symbols({})],
  ['a call for more from who tells', 'unexpected-message', TELLER, { kind: 'more', end: 100 }],
  ['keys from who tells', 'unexpected-message', TELLER, want(1, true)],
  ['symbols that begin in the middle', 'unexpected-message', TELLER, symbols({ first: 5 })],
  ['symbols beyond the end of their flight', 'unexpected-message', TELLER, symbols({ end: 9 })],
  ['symbols without any', 'unexpected-message', TELLER, symbols({ cells: raw() })],
  ['symbols that are cut off', 'malformed-frame', TELLER, symbols({ cells: raw(1, 2, 3) })],
  ['a flight that never ends', 'limit-exceeded', TELLER, symbols({ end: MAX_SYMBOLS + 1 })],
  [
    'a flight that changes its end',
    'unexpected-message',
    TELLER,
    symbols({}),
    symbols({ first: 10, end: 21 }),
  ],
  [
    'symbols that nobody asked for',
    'unexpected-message',
    TELLER,
    symbols({ end: 10 }),
    symbols({ end: 10 }),
  ],
  ['a call for no more than there was', 'unexpected-message', READER, { kind: 'more', end: 1 }],
  ['a call for far too much', 'limit-exceeded', READER, { kind: 'more', end: 2 ** 40 }],
  [
    'two calls for more at once',
    'unexpected-message',
    READER,
    { kind: 'more', end: 2000 },
    { kind: 'more', end: 3000 },
  ],
  ['an empty part of keys', 'unexpected-message', READER, want(0, false)],
  ['more keys than there are blocks', 'limit-exceeded', READER, want(HELD + 1, true)],
  ['keys after the last', 'unexpected-message', READER, want(1, true), want(1, true)],
];

for (const [title, code, hello, ...said] of inDifference) {
  test(`${title}: the session ends with ${code}`, async () => {
    const replica = filled(HELD);
    const before = replica.state;
    const { script, ended } = scripted(replica);
    script.say(hello, SUMMARY);
    await script.hear(hello === READER ? 'symbols' : 'unknown');
    script.say(...said);
    expect(await ended).toMatchObject({ name: 'ProtocolError', code });
    expect((await script.hear('abort')).reason).toBe(code);
    expect(replica.state).toEqual(before);
  });
}

test('a hold stops the stream until the go, and there is one for each part', async () => {
  const replica = new TinyReplica();
  for (let i = 0; i < 40; i++) replica.put(`k${i}`, i, [new Uint8Array(60_000).fill(i)]);
  const { script, ended } = scripted(replica);
  script.say(helloOf());
  await script.hear('expect');
  script.say({ kind: 'hold' });
  let got = 0;
  // What was under way comes whole: then live writes alone do.
  const live = commitOf('live', 1);
  await replica.receive([live]);
  const reader = new CarReader();
  for (let cids: string[] = []; !cids.includes(String(live.cid));) {
    const { bytes } = await script.hear('car');
    cids = Array.from(reader.push(bytes), ({ cid }) => String(cid));
    got += bytes.length;
    script.say({ kind: 'stored', bytes: got });
  }
  expect(got).toBeLessThan(20 * 60_000);
  script.say({ kind: 'go', cids: replica.clock.slice(0, 1) });
  await script.hear('done');
  script.say({ kind: 'hold' });
  expect(await ended).toMatchObject({ code: 'unexpected-message' });
});

test('symbols that lead nowhere are given up for lists after a bounded number of calls', async () => {
  const { script, session } = scripted(filled(HELD));
  script.say(TELLER, { ...SUMMARY, size: 2000 });
  await script.hear('unknown');
  let end = 20;
  let calls = 0;
  for (;;) {
    const noise = new Sketch(0, end);
    noise.words.fill(0x1234567);
    noise.counts.fill(3);
    script.say(
      symbols({ end, cells: encodeSymbols(noise, 0, end), salt: new Uint8Array(8).fill(++calls) }),
    );
    const answer = decodeMessage((await script.frame()) as Uint8Array);
    if (answer.kind === 'have') break;
    expect(answer.kind).toBe('more');
    if (answer.kind === 'more') end = answer.end;
  }
  expect(calls).toBeGreaterThan(2);
  expect(calls).toBeLessThan(20);
  script.say(have(true), EXPECT, { kind: 'car', bytes: carOf([foreign]) }, DONE);
  session.destroy();
});

test('keys of nothing that is here bring nothing, and then the list', async () => {
  const replica = filled(HELD);
  const { script, session } = scripted(replica);
  script.say(READER, SUMMARY);
  await script.hear('symbols');
  script.say(want(5, true));
  expect(await script.hear('expect')).toMatchObject({ blocks: 0 });
  expect((await script.hear('have')).list.digests.length).toBe(HELD * 32);
  session.destroy();
});

test('more than the window allows is refused, though nothing is stored yet', async () => {
  class Stuck extends TinyReplica {
    override receive(): Promise<void> {
      return new Promise(() => {});
    }
  }
  const { script, ended } = scripted(new Stuck(), { receiveWindowBytes: MIN_WINDOW_BYTES });
  script.say(STRANGER, EXPECT);
  const blocks = Array.from({ length: 50 }, (_, i) =>
    blockOf(encode(new Uint8Array(60_000).fill(i))),
  );
  for (const [i, block] of blocks.entries()) {
    const car = carOf([block]);
    script.say({ kind: 'car', bytes: i === 0 ? car : car.subarray(carOf([]).length) });
  }
  expect(await ended).toMatchObject({ code: 'window-exceeded' });
});

test('who never acknowledges gets no more than any link has under way', async () => {
  const replica = new TinyReplica();
  for (let i = 0; i < 100; i++) replica.put(`k${i}`, i, [new Uint8Array(60_000).fill(i)]);
  const { script, session, ended } = scripted(replica);
  const windowBytes = MIN_WINDOW_BYTES;
  script.say(helloOf({ windowBytes }));
  let got = 0;
  // The last frame that fits, then nothing: an acknowledgement brings the next one.
  const underWay = 256 * 1024;
  while (got + 64 * 1024 - 1 <= underWay) got += (await script.hear('car')).bytes.length;
  expect(got).toBeLessThanOrEqual(underWay);
  script.say({ kind: 'stored', bytes: 1000 });
  script.say({ kind: 'stored', bytes: got });
  const next = await script.hear('car');
  expect(next.bytes.length).toBeGreaterThan(0);
  session.destroy();
  expect(await ended).toBeUndefined();
});

test('a peer that says nothing is given up', async () => {
  const { ended, session } = scripted(filled(1), { helloTimeoutMs: 1 });
  expect(await ended).toMatchObject({ code: 'hello-timeout' });
  await expect(session.synced()).rejects.toMatchObject({ code: 'hello-timeout' });
});

test('a peer that never says bye does not hold up closing', async () => {
  const { script, session, ended } = scripted(filled(1), { closeTimeoutMs: 1 });
  script.say(helloOf());
  await script.hear('done');
  await session.close();
  expect(await ended).toBeUndefined();
});

test('a channel that closes in order is an error while something is under way, and none when idle', async () => {
  const early = scripted(filled(1));
  await early.script.close();
  expect(await early.ended).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });

  const unstored = scripted(filled(1));
  unstored.script.say(helloOf());
  await unstored.script.hear('done');
  await unstored.script.close();
  expect(await unstored.ended).toMatchObject({ code: 'peer-gone' });

  const idle = scripted(new TinyReplica());
  idle.script.say(helloOf());
  await idle.session.firstSync();
  await idle.script.close();
  expect(await idle.ended).toBeUndefined();
});

test('known means that nothing is sent; unknown brings exactly what the list lacks', async () => {
  const known = scripted(filled(5));
  known.script.say(STRANGER, KNOWN, EXPECT, { kind: 'car', bytes: carOf([foreign]) }, DONE);
  await known.session.firstSync();
  await known.script.close();
  expect(await known.ended).toBeUndefined();

  const replica = filled(5);
  const [first, second] = replica.cids();
  const { script, session } = scripted(replica);
  script.say(helloOf({ heads: [foreign.cid], blockCount: 3 }), UNKNOWN);
  await script.hear('unknown');
  script.say({ kind: 'have', list: packCids([foreign.cid, first!, second!]), last: true });
  expect(await script.hear('expect')).toMatchObject({ blocks: 3 });
  session.destroy();
});

test('a block that the replica has lost ends the session', async () => {
  class Forgetful extends TinyReplica {
    override getBlock(): undefined {
      return undefined;
    }
  }
  const replica = new Forgetful();
  addTo(replica, 3, 'k');
  const { script, ended } = scripted(replica);
  script.say(helloOf());
  expect(await ended).toMatchObject({ code: 'storage-failed', cause: { code: 'missing-block' } });
});

test('options beyond their bounds are refused', () => {
  const [channel] = createMemoryChannelPair();
  const refused = (): Session => new Session(channel, new TinyReplica(), { receiveWindowBytes: 1 });
  expect(refused).toThrowError(expect.objectContaining({ code: 'limit-exceeded' }));
  const longName = new TinyReplica({ id: new Uint8Array(65) });
  expect(() => new Session(channel, longName)).toThrowError(
    expect.objectContaining({ code: 'limit-exceeded' }),
  );
});

test('a session destroyed before it runs is over', async () => {
  const [channel] = createMemoryChannelPair();
  const session = new Session(channel, new TinyReplica());
  session.destroy();
  expect(await outcome(session.run())).toBeUndefined();
});
