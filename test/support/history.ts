import type { Block } from '../../src/blocks.ts';
import type { Clock, Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { Document, DocumentValue } from '../../src/ledger/document.ts';
import type { Random } from './random.ts';

/** 2026-01-01: when the histories begin, by a wall clock that the test turns. */
export const START_MS: number = Date.UTC(2026, 0, 1);

const IDS = ['ash', 'birch', 'cedar', 'é', '🌲'];
const FIELDS = ['a', 'b', 'height', 'ü'];
const VALUES: readonly DocumentValue[] = [
  0,
  1,
  -2.5,
  'x',
  'long enough to be told from the others',
  true,
  null,
  { n: 1, list: [] },
  [1, [2, 'two']],
  Uint8Array.of(1, 2, 3),
];

/** What several writers made of the same few documents, with news passed between them now and then. */
export interface History {
  /** Every commit of every writer, parents first. */
  readonly blocks: readonly Block[];
  /** Clocks that some writer had on the way. */
  readonly clocks: readonly Clock[];
}

/** @param steps how many writes or partial syncs there are in all */
export async function randomHistory(random: Random, steps: number): Promise<History> {
  let nowMs = START_MS;
  const writers: Ledger[] = [];
  const count = 1 + random.below(8);
  for (let i = 0; i < count; i++) {
    // Wrong clocks and equal clocks are both common among peers.
    const aheadMs = random.oneIn(2) ? 0 : random.below(4000) - 2000;
    writers.push(await openLedger('writer', { storage: 'memory', now: () => nowMs + aheadMs }));
  }
  const clocks: Clock[] = [];
  for (let step = 0; step < steps; step++) {
    if (random.oneIn(4)) nowMs += random.below(1500);
    const writer = random.pick(writers);
    if (count > 1 && random.oneIn(3)) await passNews(random, random.pick(writers), writer);
    else await randomWrite(random, writer);
    if (random.oneIn(8)) clocks.push(writer.clock);
  }
  const all = await openLedger('all', { storage: 'memory', now: () => nowMs });
  for (const writer of writers) await all.replica.receive(await blocksOf(writer));
  const blocks = await blocksOf(all);
  for (const ledger of [...writers, all]) await ledger.close();
  return { blocks, clocks };
}

/** All commits of a ledger, parents first. */
export async function blocksOf(ledger: Ledger): Promise<Block[]> {
  const blocks: Block[] = [];
  for await (const cid of ledger.replica.cids()) {
    blocks.push({ cid, bytes: (await ledger.replica.getBlock(cid))! });
  }
  return blocks;
}

/** Hands a ledger blocks in any order, cut into groups, some of them more than once. */
export async function deliver(
  random: Random,
  blocks: readonly Block[],
  ledger: Ledger,
): Promise<void> {
  const twice = blocks.filter(() => random.oneIn(4));
  const order = random.oneIn(4) ? [...blocks, ...twice] : random.shuffled([...blocks, ...twice]);
  for (const group of random.groups(order, random.oneIn(2) ? 3 : 40)) {
    await ledger.replica.receive(group);
  }
}

async function passNews(random: Random, from: Ledger, to: Ledger): Promise<void> {
  const news: Block[] = [];
  for (const block of await blocksOf(from)) if (!to.replica.has(block.cid)) news.push(block);
  if (random.oneIn(4)) await deliver(random, news, to);
  else await to.replica.receive(news.slice(0, 1 + random.below(news.length + 1)));
}

export async function randomWrite(random: Random, ledger: Ledger): Promise<void> {
  const id = random.pick(IDS);
  const stored = await ledger.get(id);
  switch (random.below(10)) {
    case 0:
      await ledger.del(id);
      return;
    case 1:
      await Promise.all([ledger.put(randomDocument(random, id)), randomWrite(random, ledger)]);
      return;
    case 2:
      await ledger.put(changed(random, stored ?? { _id: id }), { resolve: true });
      return;
    case 3:
      await ledger.bulk(random.shuffled(IDS).map((each) => randomDocument(random, each)));
      return;
    case 4:
      await ledger.put(randomDocument(random, id));
      return;
    case 5:
      await ledger.patch(randomPatch(random, id), { resolve: random.oneIn(3) });
      return;
    case 6:
      await Promise.all([randomWrite(random, ledger), ledger.patch(randomPatch(random, id))]);
      return;
    default:
      await ledger.put(changed(random, stored ?? randomDocument(random, id)));
  }
}

function randomDocument(random: Random, id: string): Document {
  const fields = FIELDS.filter(() => random.oneIn(2));
  return { _id: id, ...Object.fromEntries(fields.map((name) => [name, random.pick(VALUES)])) };
}

function randomPatch(random: Random, id: string): Document {
  return { ...randomDocument(random, id), [random.pick(FIELDS)]: random.pick(VALUES) } as Document;
}

/** The document with one field set or removed; now and then just as it is. */
function changed(random: Random, document: Document): Document {
  const field = random.pick(FIELDS);
  const { [field]: removed, ...others } = document;
  if (random.oneIn(8)) return document;
  if (removed !== undefined && random.oneIn(3)) return others as Document;
  return { ...others, [field]: random.pick(VALUES) } as Document;
}
