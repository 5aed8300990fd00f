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
    differences: { type: 'string', default: '0,1,2,100,10000' },
    runs: { type: 'string', default: '3' },
    limit: { type: 'string', default: '300' },
    note: { type: 'string' },
  },
});
const n = positiveInteger('n', values.n);
const limitSeconds = positiveInteger('limit', values.limit);
const runs = { runs: positiveInteger('runs', values.runs), note: values.note };
const scenarios = values.differences.split(',').flatMap((text) => {
  const differences = Number(text);
  return differences === 0
    ? [{ differences, way: 'clustered' }]
    : [
        { differences, way: 'clustered' },
        { differences, way: 'spread' },
      ];
});
/** Writing a million commits takes its time on a machine that has other work. */
const BASE_LIMIT_SECONDS = 1800;

const folder = await mkdtemp(`${tmpdir()}/emberlink-bench-`);
try {
  const file = `${folder}/base.car`;
  process.stderr.write(`diff: writing ${n} commits …\n`);
  const base = await runChild('diff-base', { n, file }, BASE_LIMIT_SECONDS);
  if ('error' in base) throw new Error(base.error);
  const rows: Record<string, Row> = {};
  for (const { differences, way } of scenarios) {
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
