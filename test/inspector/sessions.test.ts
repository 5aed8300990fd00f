import { expect, it } from 'vitest';
import { blockOf, type CID } from '../../src/index.ts';
import { type SessionRecord, Sessions } from '../../src/inspector/sessions.ts';

type Facts = Parameters<Sessions['take']>[0];
type Fact = Facts extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'session' | 'peer' | 'at'>
    : never
  : never;

const cids: readonly CID[] = Array.from(
  { length: 1200 },
  (_, n) => blockOf(Uint8Array.of(0x19, n >> 8, n & 0xff)).cid,
);

/** One session that tells these. */
function told(
  facts: readonly Fact[],
  { sessions = new Sessions(), session = 1, heldHere = 100 } = {},
): Sessions {
  for (const [place, fact] of facts.entries()) {
    const event = { ...fact, session, peer: 'bob', at: 1000 + 10 * place } as Facts;
    sessions.take(event, 10 * place, heldHere);
  }
  return sessions;
}

function sides({ comparison }: SessionRecord): unknown {
  const { mine, theirs } = comparison!;
  return [mine, theirs].map(({ count, travelledCount }) => [count, travelledCount]);
}

const message = (bytes: number, direction: 'in' | 'out' = 'out'): Fact => ({
  kind: 'message',
  direction,
  type: 'symbols',
  bytes,
});

it('counts what travels until the session is over', () => {
  const sessions = told([
    { kind: 'opened' },
    message(10),
    message(5, 'in'),
    { kind: 'blocks', direction: 'out', cids: cids.slice(0, 3), bytes: 30 },
    { kind: 'acknowledged', blocks: 2 },
    { kind: 'blocks', direction: 'in', cids: cids.slice(5, 6), bytes: 10 },
  ]);
  const [session] = sessions.open;
  expect(session).toMatchObject({ peer: 'bob', unacknowledged: 1, blocksIn: 1, blocksOut: 3 });
  expect(session!.traffic.bytes('out')).toBe(10);
  told([{ kind: 'closed', error: undefined }], { sessions });
  expect(sessions.open).toEqual([]);
});

it('says how the difference was found, what that took, and what of it has travelled', () => {
  const sessions = told([
    { kind: 'opened' },
    message(700),
    message(300, 'in'),
    {
      kind: 'difference',
      how: 'sketch',
      lackedHere: { count: undefined, cids: [cids[9]!] },
      lackedThere: { count: 2, cids: cids.slice(0, 2) },
    },
    message(9999),
  ]);
  const [session] = sessions.compared;
  expect(session!.comparison).toMatchObject({
    how: 'sketch',
    messages: 2,
    bytes: 1000,
    tookMs: 30,
    heldHere: 100,
  });
  expect(sides(session!)).toEqual([
    [2, 0],
    [undefined, 0],
  ]);
  told(
    [
      { kind: 'blocks', direction: 'out', cids: [cids[0]!], bytes: 1 },
      { kind: 'blocks', direction: 'in', cids: [cids[7]!, cids[8]!], bytes: 2 },
    ],
    { sessions },
  );
  expect(sides(session!)).toEqual([
    [2, 1],
    [undefined, 2],
  ]);
  // With the other side's head all that was lacking is here. What comes later is news.
  told(
    [
      { kind: 'blocks', direction: 'in', cids: [cids[9]!, cids[10]!], bytes: 2 },
      { kind: 'blocks', direction: 'out', cids: [cids[1]!, cids[11]!], bytes: 2 },
    ],
    { sessions },
  );
  expect(sides(session!)).toEqual([
    [2, 2],
    [3, 3],
  ]);
  expect(session!.comparison!.theirs.cids.length).toBe(3);
});

it('counts what came while this side was still comparing', () => {
  const sessions = told([
    { kind: 'opened' },
    { kind: 'blocks', direction: 'in', cids: cids.slice(0, 2), bytes: 2 },
    {
      kind: 'difference',
      how: 'list',
      lackedHere: { count: 2, cids: cids.slice(0, 2) },
      lackedThere: { count: 1, cids: cids.slice(5, 6) },
    },
  ]);
  const [session] = sessions.compared;
  expect(sides(session!)).toEqual([
    [1, 0],
    [2, 2],
  ]);
  expect(session!.comparison!.heldHere).toBe(98);
});

it('counts a long difference to its end, and lists its beginning', () => {
  const sessions = told([
    { kind: 'opened' },
    {
      kind: 'difference',
      how: 'list',
      lackedHere: { count: 0, cids: [] },
      lackedThere: { count: 1100, cids: cids.slice(0, 1000) },
    },
    { kind: 'blocks', direction: 'out', cids: cids.slice(0, 1050), bytes: 1 },
  ]);
  const [session] = sessions.compared;
  expect(sides(session!)).toEqual([
    [1100, 1050],
    [0, 0],
  ]);
  told([{ kind: 'blocks', direction: 'out', cids: cids.slice(1050), bytes: 1 }], { sessions });
  expect(sides(session!)).toEqual([
    [1100, 1100],
    [0, 0],
  ]);
  expect(session!.comparison!.mine.cids.length).toBe(500);
});

it('remembers the last comparison with each, also after its session', () => {
  const difference: Fact = {
    kind: 'difference',
    how: 'equal',
    lackedHere: { count: 0, cids: [] },
    lackedThere: { count: 0, cids: [] },
  };
  const sessions = new Sessions();
  for (let session = 1; session <= 3; session++) {
    told([difference, { kind: 'closed', error: undefined }], { sessions, session });
  }
  expect(sessions.compared.map(({ session }) => session)).toEqual([3]);
});
