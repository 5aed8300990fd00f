import { describe, expect, it } from 'vitest';
import { CommitGraph, type GraphCommit } from '../../src/inspector/commit-graph.ts';
import { forSeeds, setting } from '../support/random.ts';

const alice = 'a'.repeat(16);
const bob = 'b'.repeat(16);

function commit(id: string, writer: string, ...parents: string[]): GraphCommit {
  const operations = [{ id: `doc:${id}`, kind: 'put' as const, fields: ['n'] }];
  return { cid: id as never, parents: parents as never, writer, time: 0, bytes: 1, operations };
}

/** Lane and column of each commit. */
function places(graph: CommitGraph): Record<string, [number, number]> {
  const nodes = [...graph.between(graph.firstColumn, graph.lastColumn)];
  return Object.fromEntries(nodes.map(({ id, lane, column }) => [id, [lane, column]]));
}

describe('the graph of commits', () => {
  it('shows what was written apart side by side, and then the commit that merges it', () => {
    const graph = new CommitGraph();
    graph.add([commit('root', alice), commit('a1', alice, 'root'), commit('a2', alice, 'a1')], 0);
    graph.add([commit('b1', bob, 'root'), commit('merged', bob, 'a2', 'b1')], 1);
    expect(places(graph)).toEqual({
      root: [0, 0],
      a1: [0, 1],
      b1: [1, 1],
      a2: [0, 2],
      merged: [1, 3],
    });
    expect(graph.get('a2')!.children).toEqual(['merged']);
    expect(graph.get('merged')!.children).toEqual([]);
  });

  it('keeps the lane of a ledger that was opened anew', () => {
    const graph = new CommitGraph();
    graph.add([commit('a1', `${alice}01`), commit('a2', `${alice}02`, 'a1')], 0);
    expect(graph.lanes).toEqual([alice]);
  });

  it('leads from commit to commit', () => {
    const graph = new CommitGraph();
    graph.add(
      [
        commit('root', alice),
        commit('a1', alice, 'root'),
        commit('b1', bob, 'root'),
        commit('merged', alice, 'a1', 'b1'),
      ],
      0,
    );
    expect(graph.neighbour('merged', 'parent')?.id).toBe('a1');
    expect(graph.neighbour('root', 'child')?.id).toBe('a1');
    expect(graph.neighbour('a1', 'below')?.id).toBe('b1');
    expect(graph.neighbour('b1', 'above')?.id).toBe('a1');
    expect(graph.neighbour('merged', 'below')?.id).toBe('b1');
    expect(graph.neighbour('b1', 'below')).toBeUndefined();
    expect(graph.neighbour('merged', 'child')).toBeUndefined();
  });

  it('shows a commit whose parents are not there from the left', () => {
    const graph = new CommitGraph();
    graph.add([commit('a9', alice, 'a8'), commit('a10', alice, 'a9')], 0);
    expect(places(graph)).toEqual({ a9: [0, 0], a10: [0, 1] });
  });

  it('gives lanes without commits to newcomers, and lets the last be shared', () => {
    const graph = new CommitGraph(30);
    for (let n = 0; n < 20; n++) graph.add([commit(`first${n}`, `writer-${100 + n}-xxxxxx`)], 0);
    expect(graph.lanes.length).toBe(12);
    let parent = 'first19';
    for (let n = 0; n < 40; n++) {
      graph.add([commit(`next${n}`, alice, parent)], 0);
      parent = `next${n}`;
    }
    graph.add([commit('late', bob, parent)], 0);
    expect(graph.get('late')!.lane).toBeLessThan(11);
    expect(graph.lanes[graph.get('late')!.lane]).toBe(bob);
  });

  it('is the same however random histories come in pieces, and bounded', () =>
    forSeeds(setting('GRAPHS', 40), async (random) => {
      const commits: GraphCommit[] = [];
      const writers = [alice, bob, 'c'.repeat(16)];
      // Each writer knows its own last commit, and sometimes the others'.
      const last: (string | undefined)[] = [];
      for (let n = 0; n < 300; n++) {
        const writer = random.below(3);
        const known = last.filter((_, other) => other === writer || random.below(3) === 0);
        const parents = known.filter((id) => id !== undefined);
        commits.push(commit(`c${n}`, writers[writer]!, ...new Set(parents)));
        last[writer] = `c${n}`;
      }
      const whole = new CommitGraph();
      whole.add(commits, 0);
      const pieces = new CommitGraph();
      for (let from = 0; from < commits.length;) {
        const to = from + 1 + random.below(9);
        // What was there before may come again.
        pieces.add(commits.slice(Math.max(0, from - 3), to), 0);
        from = to;
      }
      expect(places(pieces)).toEqual(places(whole));
      const taken = Object.values(places(whole)).map(String);
      expect(new Set(taken).size, 'no two commits share a place').toBe(300);
      for (const node of whole.between(0, whole.lastColumn)) {
        for (const parent of node.parents) {
          expect(whole.get(parent)!.column).toBeLessThan(node.column);
        }
      }

      const bounded = new CommitGraph(50);
      bounded.add(commits, 0);
      expect(bounded.size).toBe(50);
      const kept = [...bounded.between(bounded.firstColumn, bounded.lastColumn)];
      expect(kept.length).toBe(50);
      for (const { column } of kept) expect(column).toBeGreaterThanOrEqual(bounded.firstColumn);
    }));
});
