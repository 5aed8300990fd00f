import { CarBufferReader } from '@ipld/car/buffer-reader';
import * as CarBufferWriter from '@ipld/car/buffer-writer';
import { decode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { expect, onTestFinished, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import type { Channel, Frame } from '../../src/protocol/channel.ts';
import { Session, type SessionOptions } from '../../src/protocol/session.ts';
import type { TraceEvent } from '../../src/protocol/trace.ts';
import { traceSync } from '../../src/trace-sync.ts';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, carOf, commitOf, copyOf, filled, outcome, Script } from './wire.ts';

const FRAME_BYTES = 262_144;
const utf8 = new TextEncoder();

interface OriginalMessage {
  ok?: boolean;
  cids?: string[];
}

/** The original's side of the conversation, over blocks and a clock of its own. */
class OriginalPeer {
  readonly #channel: Channel;
  readonly blocks = new Map<string, Block>();
  clock = new Set<string>();
  readonly heard: ('list' | 'ok' | 'car')[] = [];
  readonly listed: string[] = [];
  mostHeads = 0;
  largestFrame = 0;
  #opened = false;
  #wake: () => void = () => {};

  constructor(channel: Channel, content: TinyReplica = new TinyReplica()) {
    this.#channel = channel;
    for (const cid of content.cids()) {
      this.blocks.set(String(cid), { cid, bytes: content.getBlock(cid) as Uint8Array });
    }
    this.clock = new Set(content.clock.map(String));
    channel.start({
      frame: (frame) => {
        this.#frame(frame);
        this.#wake();
      },
      closed: () => this.#wake(),
    });
  }

  open(asBytes = false): void {
    this.#opened = true;
    const list = JSON.stringify({ clock: [...this.clock], cids: [...this.blocks.keys()] });
    this.#channel.send(asBytes ? utf8.encode(list) : list);
  }

  write(key: string, value: unknown): void {
    const commit = commitOf(
      key,
      value,
      [...this.clock].map((cid) => CID.parse(cid)),
    );
    this.#store([commit], [commit.cid]);
    this.#channel.send(carWith([commit], [commit.cid]));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #frame(frame: Frame): void {
    this.largestFrame = Math.max(this.largestFrame, frame.length);
    if (typeof frame !== 'string') {
      const car = CarBufferReader.fromBytes(frame);
      this.heard.push('car');
      this.#store(car.blocks(), car.getRoots());
      return;
    }
    const message = JSON.parse(frame) as OriginalMessage;
    if (message.ok) {
      this.heard.push('ok');
      return;
    }
    this.heard.push('list');
    if (!this.#opened) this.open();
    this.listed.push(...message.cids!);
    const theirs = new Set(message.cids);
    const lacking = [...this.blocks.values()].filter(({ cid }) => !theirs.has(String(cid)));
    if (lacking.length === 0) this.#channel.send(JSON.stringify({ ok: true }));
    else {
      const heads = [...this.clock].map((cid) => this.blocks.get(cid)!);
      this.#channel.send(
        carWith(
          [...lacking, ...heads],
          heads.map(({ cid }) => cid),
        ),
      );
    }
  }

  /** As the original does: store, then advance the clock by each root and its parents. */
  #store(blocks: readonly Block[], roots: readonly CID[]): void {
    for (const block of blocks) this.blocks.set(String(block.cid), block);
    for (const root of roots) {
      const { parents } = decode<{ parents: CID[] }>(this.blocks.get(String(root))!.bytes);
      for (const parent of parents) this.clock.delete(String(parent));
      this.clock.add(String(root));
    }
    this.mostHeads = Math.max(this.mostHeads, this.clock.size);
  }
}

function carWith(blocks: readonly Block[], roots: readonly CID[]): Uint8Array {
  const bytes = blocks.reduce(
    (sum, { bytes: { length } }) => sum + length + 64,
    roots.length * 48 + 64,
  );
  const writer = CarBufferWriter.createWriter(new ArrayBuffer(bytes), { roots: [...roots] });
  for (const block of blocks) writer.write(block);
  return writer.close({ resize: true });
}

interface Met {
  peer: OriginalPeer;
  session: Session;
  ended: Promise<unknown>;
}

function meet(
  replica: TinyReplica,
  content = new TinyReplica(),
  options: SessionOptions = {},
): Met {
  const [left, right] = createMemoryChannelPair({ maxFrameBytes: FRAME_BYTES });
  const session = new Session(left, replica, { greet: 'after-peer', ...options });
  return { session, ended: outcome(session.run()), peer: new OriginalPeer(right, content) };
}

function expectSame({ peer }: Met, replica: TinyReplica): void {
  expect([...peer.clock].sort()).toEqual(replica.clock.map(String).sort());
  expect([...peer.blocks.keys()].sort()).toEqual(replica.cids().map(String).sort());
  expect(replica.waitingCount).toBe(0);
}

test('an original peer that opens is answered, and both have everything', async () => {
  for (const asBytes of [false, true]) {
    const replica = filled(30, 'ours');
    const met = meet(replica, filled(20, 'theirs'));
    met.peer.open(asBytes);
    await met.session.firstSync();
    await met.session.synced();
    await met.peer.until(() => met.peer.heard.length === 2);
    expect(met.peer.heard).toEqual(['list', 'car']);
    expectSame(met, replica);
    await met.session.close();
    expect(await met.ended).toBeUndefined();
  }
});

test('an original peer in sync hears ok', async () => {
  const replica = filled(30);
  const met = meet(replica, copyOf(replica));
  met.peer.open();
  await met.session.firstSync();
  await met.peer.until(() => met.peer.heard.length === 2);
  expect(met.peer.heard).toEqual(['list', 'ok']);
  await met.session.close();
});

test('a side that takes nothing gives, and ends the session at a block that it does not hold', async () => {
  const replica = filled(30, 'ours');
  const met = meet(replica, new TinyReplica(), { takes: false });
  met.peer.open();
  await met.peer.until(() => met.peer.blocks.size === 30);
  await met.session.firstSync();
  met.peer.write('theirs', 1);
  expect(await met.ended).toMatchObject({ name: 'ProtocolError', code: 'read-only' });
  expect([replica.blockCount, replica.waitingCount]).toEqual([30, 0]);

  const second = meet(replica, filled(3, 'theirs'), { takes: false });
  second.peer.open();
  expect(await second.ended).toMatchObject({ code: 'read-only' });
  expect(replica.blockCount).toBe(30);
});

test('a session that said hello first switches to the original form', async () => {
  const replica = filled(5, 'ours');
  const [left, right] = createMemoryChannelPair();
  const session = new Session(left, replica);
  const ended = outcome(session.run());
  const waiting = session.synced();
  const script = new Script(right);
  expect((await script.hear('hello')).blockCount).toBe(5);
  script.send(JSON.stringify({ clock: [], cids: [] }));
  script.send(JSON.stringify({ ok: true }));
  expect(JSON.parse((await script.frame()) as string)).toHaveProperty('cids');
  expect(((await script.frame()) as Uint8Array).length).toBeGreaterThan(500);
  await waiting;
  await session.close();
  expect(await ended).toBeUndefined();
});

test('commits travel live, one CAR with one root each, both ways', async () => {
  const replica = filled(3);
  const met = meet(replica, copyOf(replica));
  met.peer.open();
  await met.session.firstSync();
  replica.put('with data', 1, [new Uint8Array(100), new Uint8Array(200)]);
  replica.put('without', 2);
  await met.peer.until(() => met.peer.heard.filter((kind) => kind === 'car').length === 2);
  expectSame(met, replica);

  const arrived = new Promise<void>((resolve) => {
    replica.watch(() => 'theirs' in replica.state && resolve());
  });
  met.peer.write('theirs', 3);
  await arrived;
  expect(replica.state).toMatchObject({ 'with data': 1, without: 2, theirs: 3 });
  expectSame(met, replica);
  await met.session.close();
  // The peer's own commit was not sent back to it.
  expect(met.peer.heard.filter((kind) => kind === 'car')).toHaveLength(2);
});

test('more blocks than fit into a frame go commit by commit, and the clock advances as live', async () => {
  const replica = new TinyReplica();
  for (let i = 0; i < 40; i++) {
    replica.put(`k${i}`, i, [new Uint8Array(9000).fill(i), new Uint8Array(9000).fill(i + 100)]);
  }
  const met = meet(replica, filled(5, 'theirs'));
  met.peer.open();
  await met.session.synced();
  await met.peer.until(() => met.peer.blocks.size === replica.blockCount);
  expectSame(met, replica);
  expect(met.peer.heard.filter((kind) => kind === 'car')).toHaveLength(40);
  expect(met.peer.largestFrame).toBeLessThanOrEqual(FRAME_BYTES);
  // Theirs and ours, never more.
  expect(met.peer.mostHeads).toBe(2);
  await met.session.close();
});

test('the blocks of one commit may take several frames', async () => {
  const replica = new TinyReplica();
  replica.put(
    'large',
    1,
    Array.from({ length: 10 }, (_, i) => new Uint8Array(100_000).fill(i)),
  );
  const met = meet(replica);
  met.peer.open();
  met.peer.write('theirs', 1);
  await met.session.synced();
  await met.peer.until(() => met.peer.blocks.size === 12);
  replica.put(
    'again',
    1,
    Array.from({ length: 5 }, (_, i) => new Uint8Array(100_000).fill(i + 50)),
  );
  await met.peer.until(() => met.peer.blocks.size === 18);
  expectSame(met, replica);
  await met.session.close();
});

test('of 10,000 CIDs the newest that fit are listed', async () => {
  const replica = filled(10_000);
  const met = meet(replica);
  met.peer.open();
  met.peer.write('theirs', 1);
  await met.session.synced();
  await met.peer.until(() => met.peer.blocks.size === 10_001);
  expectSame(met, replica);
  expect(met.peer.largestFrame).toBeLessThanOrEqual(FRAME_BYTES);
  expect(met.peer.listed.length).toBeGreaterThan(4000);
  const newest = replica
    .cids()
    .map(String)
    .slice(0, 10_000)
    .slice(-met.peer.listed.length + 1);
  expect(newest.every((cid) => met.peer.listed.includes(cid))).toBe(true);
  await met.session.close();
});

test('a block that no frame can hold ends the session with an error', async () => {
  const replica = new TinyReplica();
  replica.put('large', 1, [new Uint8Array(FRAME_BYTES)]);
  const met = meet(replica);
  met.peer.open();
  expect(await met.ended).toMatchObject({ name: 'ProtocolError', code: 'frame-too-large' });
});

test('a channel with smaller frames is respected', async () => {
  const replica = filled(2000);
  const [left, right] = createMemoryChannelPair({ maxFrameBytes: 65_536 });
  const session = new Session(left, replica);
  const ended = outcome(session.run());
  // Greeted first by our hello, so this peer is a script.
  const script = new Script(right);
  await script.hear('hello');
  script.send('{"clock":[],"cids":[]}');
  script.send('{"ok":true}');
  await session.synced();
  await session.close();
  expect(await ended).toBeUndefined();
});

const root = commitOf('root', 1);
const wrong: Block = { cid: root.cid, bytes: commitOf('root', 2).bytes };
const list = JSON.stringify({ clock: [], cids: [] });

const hostile: [title: string, code: string, ...frames: Frame[]][] = [
  ['JSON that is none', 'malformed-frame', '{"clock":'],
  ['JSON in bytes that are no UTF-8', 'malformed-frame', Uint8Array.of(0x7b, 0xff, 0xfe)],
  ['JSON of another shape', 'malformed-frame', '{"hello":1}'],
  ['a list of something else', 'malformed-frame', '{"clock":[],"cids":[1]}'],
  ['a list of no CIDs', 'malformed-frame', '{"clock":[],"cids":["x"]}'],
  ['a clock of no CIDs', 'malformed-frame', '{"clock":["x"],"cids":[]}'],
  ['two lists', 'unexpected-message', list, list],
  ['two answers', 'unexpected-message', list, '{"ok":true}', '{"ok":true}'],
  ['text that is no JSON', 'malformed-frame', list, 'hello'],
  ['an empty frame', 'bad-block', list, new Uint8Array()],
  ['bytes that are no CAR', 'bad-block', list, Uint8Array.of(1, 2, 3)],
  ['a CAR without blocks', 'bad-block', list, carOf([], [root.cid])],
  ['a CAR without roots', 'bad-block', list, carOf([root])],
  ['a CAR whose root is missing', 'bad-block', list, carOf([commitOf('other', 1)], [root.cid])],
  ['a CAR cut off', 'bad-block', list, carOf([root], [root.cid]).slice(0, -1)],
  ['a block that does not match its hash', 'bad-block', list, carOf([wrong], [root.cid])],
];

for (const [title, code, ...frames] of hostile) {
  test(`original form: ${title}: the session ends with ${code}`, async () => {
    const replica = filled(3);
    const before = replica.state;
    const [left, right] = createMemoryChannelPair();
    const session = new Session(left, replica, { greet: 'after-peer' });
    const ended = outcome(session.run());
    const script = new Script(right);
    for (const frame of frames) script.send(frame);
    expect(await ended).toMatchObject({ name: 'ProtocolError', code });
    await expect(session.synced()).rejects.toMatchObject({ code });
    expect(replica.state).toEqual(before);
  });
}

test('original form: a peer that goes before the first sync is an error, later it is not', async () => {
  const [left, right] = createMemoryChannelPair();
  const early = new Session(left, filled(3), { greet: 'after-peer' });
  const ended = outcome(early.run());
  const script = new Script(right);
  script.send(list);
  await script.close();
  expect(await ended).toMatchObject({ code: 'peer-gone' });

  const met = meet(filled(3), filled(2, 'b'));
  met.peer.open();
  await met.session.synced();
  await met.session.close();
  expect(await met.ended).toBeUndefined();
});

test('original form: commits in any order within a CAR are put in theirs', async () => {
  const replica = new TinyReplica();
  const source = new TinyReplica();
  addTo(source, 10, 'k');
  const [left, right] = createMemoryChannelPair();
  const session = new Session(left, replica, { greet: 'after-peer' });
  const ended = outcome(session.run());
  const script = new Script(right);
  script.send(list);
  const blocks = source.cids().map((cid) => ({ cid, bytes: source.getBlock(cid) as Uint8Array }));
  script.send(carWith(blocks.reverse(), source.clock));
  await session.firstSync();
  expect(replica.state).toEqual(source.state);
  await session.close();
  expect(await ended).toBeUndefined();
});

test('what travels in the original form can be traced', async () => {
  const replica = filled(30, 'ours');
  const theirs = filled(20, 'theirs');
  const events: TraceEvent[] = [];
  onTestFinished(traceSync(replica, (event) => events.push(event)));
  const met = meet(replica, theirs);
  met.peer.open();
  await met.session.firstSync();
  replica.put('live', 1);
  await met.session.synced();
  await met.peer.until(() => met.peer.heard.length === 3);
  await met.session.close();
  const told = events.map((event) => {
    switch (event.kind) {
      case 'opened':
      case 'closed':
      case 'acknowledged':
        return event.kind;
      case 'message':
        return `${event.direction} ${event.type}`;
      case 'difference':
        return `${event.how} ${event.lackedHere.count} ${event.lackedThere.count}`;
      case 'blocks':
        return `${event.direction} ${event.cids.length} blocks`;
    }
  });
  expect(told.filter((each) => !each.startsWith('in '))).toEqual([
    'opened',
    'out list',
    'list undefined 30',
    'out car',
    'out 30 blocks',
    'out car',
    'out 1 blocks',
    'closed',
  ]);
  expect(told.filter((each) => each.startsWith('in '))).toEqual([
    'in list',
    'in car',
    // This peer sends its head twice.
    'in 21 blocks',
  ]);
});
