import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { measure } from '../measure.ts';
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
const options = {
  runs: positiveInteger('runs', values.runs),
  limitSeconds: positiveInteger('limit', values.limit),
  note: values.note,
};

for (const workload of workloads) {
  for (const n of size === undefined ? WORKLOADS[workload].sizes : [size]) {
    const rows: Record<string, Row> = {};
    for (const peer of peers) {
      process.stderr.write(`${workload} ${n} ${peer} …\n`);
      const row = await measure({ workload, peer, n }, options);
      rows[peer] = row;
      keep(`${workload} ${n}`, peer, row);
    }
    const table = TABLES[workload]!;
    console.log(`\n${workload}: ${table.title}, n = ${n}\n\n${tableOf(table, n, rows)}\n`);
  }
}
