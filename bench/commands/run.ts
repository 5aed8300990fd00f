import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import type { Outcome } from '../child.ts';
import { hasFailed, measureOnce, rowOf } from '../measure.ts';
import { PEERS, peersNamed } from '../peers/index.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';
import { isWorkload, type WorkloadName, WORKLOADS } from '../workloads/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    n: { type: 'string' },
    only: { type: 'string' },
    runs: { type: 'string', default: '3' },
    limit: { type: 'string', default: '120' },
    note: { type: 'string' },
  },
});
const all = Object.keys(WORKLOADS) as WorkloadName[];
const unknown = positionals.find((name) => !isWorkload(name));
if (unknown !== undefined) throw new Error(`no workload ${unknown}: there are ${all.join(', ')}`);
const workloads = positionals.length > 0 ? positionals.filter(isWorkload) : all;
const peers = values.only === undefined ? Object.keys(PEERS) : peersNamed(values.only.split(','));
const size = values.n === undefined ? undefined : positiveInteger('n', values.n);
const runs = positiveInteger('runs', values.runs);
const limitSeconds = positiveInteger('limit', values.limit);

for (const workload of workloads) {
  for (const n of size === undefined ? WORKLOADS[workload].sizes : [size]) {
    const rows: Record<string, Row> = {};
    const outcomes: Record<string, Outcome[]> = {};
    // Round by round, so that all libraries have their share of what else the machine does.
    for (let round = 1; round <= runs; round++) {
      for (const peer of peers) {
        if (PEERS[peer]!.only?.includes(workload) === false) continue;
        const own = (outcomes[peer] ??= []);
        if (hasFailed(own)) continue;
        process.stderr.write(`${workload} ${n} ${peer}, run ${round} of ${runs} …\n`);
        own.push(await measureOnce({ workload, peer, n }, limitSeconds));
        const row = rowOf(own, values.note);
        rows[peer] = row;
        keep(`${workload} ${n}`, peer, row);
      }
    }
    const table = TABLES[workload]!;
    console.log(`\n${workload}: ${table.title}, n = ${n}\n\n${tableOf(table, n, rows)}\n`);
  }
}
