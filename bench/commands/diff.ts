import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { runChild } from '../child.ts';
import { repeat } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '3' },
    limit: { type: 'string', default: '300' },
    note: { type: 'string' },
  },
});
const n = positiveInteger('n', values.n);
const limitSeconds = positiveInteger('limit', values.limit);
const runs = { runs: positiveInteger('runs', values.runs), note: values.note };
const scenarios = [
  [0, 'clustered'],
  [1, 'clustered'],
  [1, 'spread'],
  [2, 'clustered'],
  [2, 'spread'],
  [100, 'clustered'],
  [100, 'spread'],
  [10_000, 'clustered'],
  [10_000, 'spread'],
] as const;

const folder = await mkdtemp(`${tmpdir()}/emberlink-bench-`);
try {
  const file = `${folder}/base.car`;
  process.stderr.write(`diff: writing ${n} commits …\n`);
  const base = await runChild('diff-base', { n, file }, limitSeconds);
  if ('error' in base) throw new Error(base.error);
  const rows: Record<string, Row> = {};
  for (const [differences, way] of scenarios) {
    const name = `emberlink, ${differences} differ${differences === 0 ? '' : `, ${way}`}`;
    process.stderr.write(`diff: ${name} …\n`);
    const task = { n, file, differences, way };
    const row = await repeat(() => runChild('diff', task, limitSeconds), runs);
    rows[name] = row;
    keep(`diff ${n}`, name, row);
  }
  console.log(`\n${tableOf(TABLES['diff']!, n, rows)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
