import { expect, test } from 'vitest';
import { carFrames, carHeader } from '../../src/car/writer.ts';
import { EmberlinkError } from '../../src/errors.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { Session } from '../../src/protocol/session.ts';
import { commitBlock, putOf } from '../ledger/commits.ts';
import type { VirtualClock } from '../simulation/virtual-clock.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { expectSound, linkOf, onVirtualTime } from './encounter.ts';
import { mutated } from './mutate.ts';

const FUZZ_RUNS = setting('EMBERLINK_FUZZ_RUNS', 300);

test(
  'frames of the original form that were changed end their session at most',
  async () => {
    const codes = new Set<string>();
    await forSeeds(FUZZ_RUNS * 2, async (random) => {
      codes.add(await onVirtualTime((clock) => meetStranger(clock, random)));
    });
    expect(codes).toContain('live');
    expect(codes).toContain('malformed-frame');
    expect(codes).toContain('bad-block');
  },
  60_000 + FUZZ_RUNS * 1000,
);

/** @returns the code of the error that the session ended with, or its state */
async function meetStranger(clock: VirtualClock, random: Random): Promise<string> {
  const alice = await openLedger('alice', { storage: 'memory', now: () => START_MS });
  for (let n = 0; n < 3; n++) await alice.put({ _id: `doc-${n}`, n });
  const before = (await blocksOf(alice)).map(({ cid }) => cid.toString());
  const link = linkOf(clock, random);
  const session = new Session(link.ends[0], alice.replica, { greet: 'after-peer' });
  const ended = Promise.allSettled([session.run()]);
  const stranger = link.ends[1];
  stranger.start({ frame: () => undefined, closed: () => undefined });

  for (const frame of conversation(random, before)) {
    const bytes = random.oneIn(5) ? mutated(random, [frame]) : frame;
    const asText = random.oneIn(2) && bytes[0] === 0x7b;
    if (stranger.isClosed || bytes.length > stranger.maxFrameBytes) break;
    stranger.send(asText ? Buffer.from(bytes).toString('utf8') : bytes);
    await clock.run(clock.nowMs + 50, 10_000);
  }
  await clock.run(clock.nowMs + 1000, 10_000);
  const { state } = session;
  const error = state.kind === 'ended' ? state.error : undefined;
  if (error !== undefined) expect(error).toBeInstanceOf(EmberlinkError);
  await expectSound(alice, before);

  stranger.destroy();
  await clock.run(Infinity, 10_000);
  await ended;
  await alice.close();
  return error instanceof EmberlinkError ? error.code : state.kind;
}

/** What a stranger says who does it right: a list, an answer, then commits as they are written. */
function conversation(random: Random, held: readonly string[]): Uint8Array[] {
  const blocks = Array.from({ length: 4 }, (_, n) =>
    commitBlock({ timeMs: START_MS + n, operations: [putOf(`stranger-${n}`, { n })] }),
  );
  const [first, second, ...later] = blocks;
  const cids = held.filter(() => random.oneIn(2));
  const list = JSON.stringify({ clock: held.slice(-1), cids: [...cids, first!.cid.toString()] });
  const answer = random.oneIn(4)
    ? Buffer.from('{"ok":true}')
    : carFrames([first!, second!], carHeader([first!.cid, second!.cid]));
  const updates = later.map((block) => carFrames([block], carHeader([block.cid])));
  return [Buffer.from(list), answer, ...updates];
}
