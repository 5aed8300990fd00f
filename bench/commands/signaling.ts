import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { type Outcome, runChild } from '../child.ts';
import { hasFailed, rowOf } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { type Kind, KINDS, type LoadTask } from '../signaling/kinds.ts';
import { TABLES } from '../tables.ts';

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '10000' },
    only: { type: 'string', default: Object.keys(KINDS).join() },
    runs: { type: 'string', default: '3' },
    limit: { type: 'string', default: '120' },
    note: { type: 'string' },
  },
});
const connections = positiveInteger('n', values.n);
const runs = positiveInteger('runs', values.runs);
const limitSeconds = positiveInteger('limit', values.limit);
const kinds = values.only.split(',').filter((kind): kind is Kind => Object.hasOwn(KINDS, kind));

// They take turns, and are compared turn by turn: what else the machine does changes.
const outcomes = new Map<Kind, Outcome[]>(kinds.map((kind) => [kind, []]));
for (let run = 0; run < runs; run++) {
  for (const kind of kinds) {
    if (hasFailed(outcomes.get(kind)!)) continue;
    process.stderr.write(`signaling ${connections} ${KINDS[kind]} …\n`);
    const task: LoadTask = { kind, connections };
    outcomes.get(kind)!.push(await runChild('signaling-load', task, limitSeconds));
  }
}
const rows: Record<string, Row> = {};
for (const kind of kinds) {
  const compared = outcomes.get(kind)!.map((outcome, run) => besideTheBare(outcome, run));
  rows[KINDS[kind]] = rowOf(compared, values.note);
  keep(`signaling ${connections}`, KINDS[kind], rows[KINDS[kind]]!);
}
console.log(`\n${tableOf(TABLES['signaling']!, connections, rows)}\n`);

function besideTheBare(outcome: Outcome, run: number): Outcome {
  const bare = outcomes.get('bare')?.[run];
  if ('error' in outcome || bare === undefined || 'error' in bare) return outcome;
  const { metrics } = outcome;
  return {
    metrics: {
      ...metrics,
      overBare: metrics['perCpuSecond']! / bare.metrics['perCpuSecond']!,
      moreRss: metrics['rssPerConnection']! - bare.metrics['rssPerConnection']!,
    },
  };
}
