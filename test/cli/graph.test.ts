import { expect, test } from 'vitest';
import { drawGraph } from '../../src/cli/graph.ts';

/** Commits as `id: parent parent`, newest first, and the picture with the ids beside it. */
function draw(...commits: string[]): string[] {
  const nodes = commits.map((commit) => {
    const [id, parents] = commit.split(':') as [string, string];
    return { id, parents: parents.split(' ').filter((parent) => parent !== '') };
  });
  return drawGraph(nodes).flatMap(({ above, commit, below }, nth) => [
    ...(above === undefined ? [] : [above]),
    `${commit} ${nodes[nth]!.id}`,
    ...(below === undefined ? [] : [below]),
  ]);
}

test('a chain is one lane', () => {
  expect(draw('c: b', 'b: a', 'a:')).toEqual(['● c', '● b', '● a']);
});

test('two branches part and meet again', () => {
  expect(draw('d: b c', 'c: a', 'b: a', 'a:')).toEqual([
    '● d',
    '├─╮',
    '│ ● c',
    '● │ b',
    '├─╯',
    '● a',
  ]);
});

test('several heads have a lane each', () => {
  expect(draw('c: a', 'b: a', 'a:')).toEqual(['● c', '│ ● b', '├─╯', '● a']);
});

test('a merge of three opens two lanes at once, and they end at once', () => {
  expect(draw('m: x y z', 'x: o', 'y: o', 'z: o', 'o:')).toEqual([
    '● m',
    '├─┬─╮',
    '● │ │ x',
    '│ ● │ y',
    '│ │ ● z',
    '├─┴─╯',
    '● o',
  ]);
});

test('lines cross lanes that go elsewhere, and join lanes that lead to the same commit', () => {
  expect(draw('p: a', 'q: b', 'r: c a', 'a:', 'b:', 'c:')).toEqual([
    '● p',
    '│ ● q',
    '│ │ ● r',
    '├─┼─┤',
    '● │ │ a',
    '  ● │ b',
    '    ● c',
  ]);
});

test('a parent that is named twice or never comes does no harm', () => {
  expect(draw('b: a a', 'a: lost')).toEqual(['● b', '● a']);
});

test('hundreds of heads are cut to what a terminal shows', () => {
  const heads = Array.from({ length: 300 }, (_, i) => `h${i}: root`);
  const rows = draw(...heads, 'root:');
  expect(Math.max(...rows.map((row) => row.length))).toBeLessThan(50);
  expect(rows.at(-1)).toMatch(/^● root|^●/);
});
