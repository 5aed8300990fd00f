import type { CID } from 'multiformats/cid';
import { expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { concatBytes } from '../../src/bytes.ts';
import { CarReader } from '../../src/car/reader.ts';
import { carFrame, carHeader } from '../../src/car/writer.ts';
import { MAX_ANNOUNCED } from '../../src/protocol/announcer.ts';
import { keyOf } from '../../src/protocol/diff/list.ts';
import { decodeMessage, type Message } from '../../src/protocol/messages.ts';
import type { Session, SessionOptions } from '../../src/protocol/session.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import { KEY_BYTES } from '../../src/sketch.ts';
import { nextTurn } from '../../src/turn.ts';
import { commitBlock, putOf } from '../ledger/commits.ts';
import { memoryLedger } from '../ledger/support.ts';
import { START_MS } from '../support/history.ts';
import { hexOf } from '../support/hex.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { commitOf, helloOf, type Script, scripted } from './wire.ts';

/*
 * Alice between Bob and Carol, who are played by the test. What Bob brings she hands on to Carol.
 */

class Player {
  readonly script: Script;
  readonly session: Session;
  /** How the session ended: its error, or undefined. */
  readonly ended: Promise<unknown>;
  #hasBegun = false;
  readonly #reader = new CarReader();

  constructor(alice: Replica, options: SessionOptions = {}) {
    const { script, session, ended } = scripted(alice, options);
    this.script = script;
    this.session = session;
    this.ended = ended;
  }

  static async meet(alice: Replica, options: SessionOptions = {}): Promise<Player> {
    const player = new Player(alice, options);
    await player.script.hear('hello');
    player.say(helloOf());
    await player.session.firstSync();
    return player;
  }

  say(...messages: Message[]): void {
    this.script.say(...messages);
  }

  /** The next bytes of this player's CAR. */
  sends(...blocks: Block[]): void {
    const header = this.#hasBegun ? [] : [carHeader([])];
    this.#hasBegun = true;
    const bytes = concatBytes([...header, ...blocks.flatMap((block) => [...carFrame(block)])]);
    this.say({ kind: 'car', bytes });
  }

  /** The next thing that Alice says, whatever it is. */
  async hears(): Promise<Message> {
    const frame = await this.script.frame();
    if (!(frame instanceof Uint8Array)) throw new Error('the channel closed');
    return decodeMessage(frame);
  }

  /** The next blocks that Alice sends, so many or more. */
  async gets(count: number): Promise<string[]> {
    const cids: string[] = [];
    while (cids.length < count) {
      const { bytes } = await this.script.hear('car');
      for (const { cid } of this.#reader.push(bytes)) cids.push(String(cid));
    }
    return cids;
  }
}

function keysOf(...blocks: readonly { readonly cid: CID }[]): Uint8Array {
  return concatBytes(blocks.map(({ cid }) => keyOf(cid).subarray(0, KEY_BYTES)));
}

/** Commits each of which builds on the one before. */
function chain(length: number): Block[] {
  const blocks: Block[] = [];
  for (let i = 0; i < length; i++) {
    blocks.push(commitOf(`k${i}`, i, i === 0 ? [] : [blocks[i - 1]!.cid]));
  }
  return blocks;
}

test('a block that came in vain makes the next ones announced, a fetched one sent again', async () => {
  const alice = new TinyReplica();
  const [bob, carol] = [await Player.meet(alice), await Player.meet(alice)];
  const [one, two, three, four] = chain(4) as [Block, Block, Block, Block];
  bob.sends(one);
  expect(await carol.hears()).toMatchObject({ kind: 'car' });
  carol.say({ kind: 'held', count: 0, again: keysOf(one) });
  bob.sends(two);
  expect(await carol.hears()).toEqual({ kind: 'announce', keys: keysOf(two) });
  carol.say({ kind: 'held', count: 1, again: new Uint8Array() });
  bob.sends(three);
  expect(await carol.hears()).toEqual({ kind: 'announce', keys: keysOf(three) });
  carol.say({ kind: 'fetch', keys: keysOf(three) });
  expect(await carol.hears()).toMatchObject({ kind: 'car' });
  bob.sends(four);
  expect(await carol.hears()).toMatchObject({ kind: 'car' });
  // What is written here has no shorter way.
  carol.say({ kind: 'held', count: 2, again: keysOf(four) });
  alice.put('own', 1);
  expect(await carol.hears()).toMatchObject({ kind: 'car' });
  for (const { session } of [bob, carol]) session.destroy();
});

test('nothing is sent or announced to whom it was announced by', async () => {
  const alice = new TinyReplica();
  const [bob, carol] = [await Player.meet(alice), await Player.meet(alice)];
  const [one, two] = chain(2) as [Block, Block];
  carol.say({ kind: 'announce', keys: keysOf(one) });
  // Heard only when what was said before it is.
  carol.say({ kind: 'announce', keys: keysOf(two) });
  await nextTurn();
  bob.sends(one, two);
  expect(await carol.hears()).toEqual({ kind: 'held', count: 2, again: new Uint8Array() });
  alice.put('own', 1);
  expect(await carol.hears()).toMatchObject({ kind: 'car' });
  for (const { session } of [bob, carol]) session.destroy();
});

test('what is lacking is fetched from one, and from the next one when that is gone', async () => {
  const alice = new TinyReplica();
  const old = alice.put('old', 1);
  const find = (keys: Uint8Array): CID[] =>
    alice.cids().filter((cid) => hexOf(keys).includes(hexOf(keysOf({ cid }))));
  Object.assign(alice, { find });
  const [bob, carol] = [new Player(alice), new Player(alice)];
  for (const player of [bob, carol]) {
    player.say(helloOf({ blockCount: 1, heads: [old] }));
    await player.session.firstSync();
    await player.script.hear('hello');
  }
  const [one, two] = chain(2) as [Block, Block];
  bob.say({ kind: 'announce', keys: keysOf({ cid: old }, one) });
  carol.say({ kind: 'announce', keys: keysOf(one) });
  expect(await bob.script.hear('fetch')).toEqual({ kind: 'fetch', keys: keysOf(one) });
  bob.sends(one);
  // Bob's is answered by fetching it; Carol is told when it is here.
  expect(await carol.hears()).toEqual({ kind: 'held', count: 1, again: new Uint8Array() });

  bob.say({ kind: 'announce', keys: keysOf(two) });
  carol.say({ kind: 'announce', keys: keysOf(two) });
  expect(await bob.script.hear('fetch')).toEqual({ kind: 'fetch', keys: keysOf(two) });
  await bob.script.close();
  expect(await carol.hears()).toEqual({ kind: 'fetch', keys: keysOf(two) });
  carol.sends(two);
  await carol.script.hear('stored');
  expect(alice.state).toEqual({ old: 1, k0: 0, k1: 1 });
  carol.session.destroy();
});

test('who sends what is here already is told so', async () => {
  const alice = new TinyReplica();
  const [bob, carol] = [await Player.meet(alice), await Player.meet(alice)];
  const [one] = chain(1) as [Block];
  bob.sends(one);
  await carol.script.hear('car');
  carol.sends(one);
  expect(await carol.script.hear('held')).toEqual({ kind: 'held', count: 0, again: keysOf(one) });
  for (const { session } of [bob, carol]) session.destroy();
});

/** Alice has announced the second of two commits to Carol. */
async function announced(): Promise<{
  alice: TinyReplica;
  carol: Player;
  bob: Player;
  two: Block;
}> {
  const alice = new TinyReplica();
  const [bob, carol] = [await Player.meet(alice), await Player.meet(alice)];
  const [one, two] = chain(2) as [Block, Block];
  bob.sends(one);
  await carol.gets(1);
  carol.say({ kind: 'held', count: 0, again: keysOf(one) });
  bob.sends(two);
  await carol.script.hear('announce');
  return { alice, bob, carol, two };
}

test('what was announced is not synced before it is answered', async () => {
  const { bob, carol } = await announced();
  carol.say({ kind: 'stored', bytes: BYTES_SENT });
  let isSynced = false;
  const synced = carol.session.synced().then(() => (isSynced = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isSynced).toBe(false);
  carol.say({ kind: 'held', count: 1, again: new Uint8Array() });
  await synced;
  for (const { session } of [bob, carol]) session.destroy();
});

test('what was fetched is sent, though it is answered for while it waits behind others', async () => {
  const { alice, bob, carol, two } = await announced();
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const getBlock = alice.getBlock.bind(alice);
  Object.assign(alice, { getBlock: (cid: CID) => opened.then(() => getBlock(cid)) });
  const own = alice.put('own', 1);
  carol.say({ kind: 'fetch', keys: keysOf(two) });
  carol.say({ kind: 'held', count: 1, again: new Uint8Array() });
  await new Promise((resolve) => setImmediate(resolve));
  open();
  expect(await carol.gets(2)).toEqual([own, two.cid].map(String));
  for (const { session } of [bob, carol]) session.destroy();
});

test('what waited is handed on to who brought what it waited for', async () => {
  const { replica } = await memoryLedger('alice', { now: () => START_MS });
  const [bob, carol] = [await Player.meet(replica), await Player.meet(replica)];
  const parent = commitBlock({ timeMs: START_MS, operations: [putOf('a', { n: 1 })] });
  const child = commitBlock({
    parents: [parent.cid],
    timeMs: START_MS + 1,
    operations: [putOf('a', { n: 2 }, [parent.cid])],
  });
  bob.sends(child);
  await bob.script.hear('stored');
  carol.sends(parent);
  expect(await carol.gets(1)).toEqual([String(child.cid)]);
  expect(await bob.gets(1)).toEqual([String(parent.cid)]);
  for (const { session } of [bob, carol]) session.destroy();
});

test('who leaves sends what was announced and not answered', async () => {
  const { bob, carol } = await announced();
  void carol.session.close();
  expect(await carol.hears()).toMatchObject({ kind: 'car' });
  for (const { session } of [bob, carol]) session.destroy();
});

test('a channel that closes before an announcement is answered ends the session with an error', async () => {
  const { bob, carol } = await announced();
  carol.say({ kind: 'stored', bytes: BYTES_SENT });
  await carol.script.close();
  expect(await carol.ended).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });
  bob.session.destroy();
});

/** What Alice has sent to Carol: one commit behind the CAR's header. */
const BYTES_SENT = concatBytes([carHeader([]), ...carFrame(chain(1)[0]!)]).length;

test.each<[string, string, Message]>([
  ['a fetch of what was not announced', 'unexpected-message', fetchOf(commitOf('a', 1))],
  [
    'an answer to nothing',
    'unexpected-message',
    { kind: 'held', count: 1, again: new Uint8Array() },
  ],
  ['an announcement of nothing', 'malformed-frame', { kind: 'announce', keys: new Uint8Array() }],
  ['a fetch of nothing', 'malformed-frame', { kind: 'fetch', keys: new Uint8Array() }],
  ['half a key', 'malformed-frame', { kind: 'announce', keys: new Uint8Array(8) }],
])('%s ends the session with %s', async (_, code, message) => {
  const carol = await Player.meet(new TinyReplica());
  carol.say(message);
  expect(await carol.ended).toMatchObject({ name: 'ProtocolError', code });
});

function fetchOf(block: Block): Message {
  return { kind: 'fetch', keys: keysOf(block) };
}

test('more announcements than are answered end the session', async () => {
  const carol = await Player.meet(new TinyReplica());
  const strange = (count: number): Uint8Array =>
    Uint8Array.from({ length: count * KEY_BYTES }, (_, i) =>
      i % KEY_BYTES < 4 ? (i >> 4) >> (8 * (i % KEY_BYTES)) : 1,
    );
  carol.say({ kind: 'announce', keys: strange(MAX_ANNOUNCED / 2) });
  carol.say({ kind: 'announce', keys: strange(MAX_ANNOUNCED / 2) });
  carol.say({ kind: 'announce', keys: strange(1) });
  expect(await carol.ended).toMatchObject({ code: 'limit-exceeded' });
});

test('nobody announces to a side that takes nothing', async () => {
  const carol = await Player.meet(new TinyReplica(), { takes: false });
  carol.say({ kind: 'announce', keys: keysOf(commitOf('a', 1)) });
  expect(await carol.ended).toMatchObject({ code: 'read-only' });
});
