import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { measureLocal, measureSync } from '../browser/measure.ts';
import { rowsNamed } from '../browser/rows.ts';
import type { Outcome } from '../child.ts';
import { hasFailed, rowOf } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    n: { type: 'string', multiple: true, default: ['1000', '100000'] },
    runs: { type: 'string', default: '3' },
    limit: { type: 'string', default: '60' },
    note: { type: 'string' },
  },
});
const names = rowsNamed(values.only?.split(',') ?? []);
const limitSeconds = positiveInteger('limit', values.limit);
const runs = positiveInteger('runs', values.runs);
const workloads = { 'browser-local': measureLocal, 'browser-sync': measureSync };

for (const n of values.n.map((text) => positiveInteger('n', text))) {
  for (const [table, measure] of Object.entries(workloads)) {
    const outcomes = new Map<string, Outcome[]>(names.map((name) => [name, []]));
    const rows: Record<string, Row> = {};
    // They take turns, so that all have their share of what else the machine does.
    for (let run = 0; run < runs; run++) {
      for (const [name, told] of outcomes) {
        if (hasFailed(told)) continue;
        process.stderr.write(`${table} ${n} ${name} …\n`);
        told.push(await measure(name, n, limitSeconds));
        rows[name] = rowOf(told, values.note);
        keep(`${table} ${n}`, name, rows[name]);
      }
    }
    console.log(`\n${tableOf(TABLES[table]!, n, rows)}\n`);
  }
}
