import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { repeat } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';
import { isBare, sidesNamed } from '../webrtc/index.ts';
import { measureWebrtc } from '../webrtc/measure.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    n: { type: 'string', multiple: true, default: ['10000', '100000'] },
    runs: { type: 'string', default: '3' },
    limit: { type: 'string', default: '60' },
    note: { type: 'string' },
  },
});
const only = values.only?.split(',') ?? [];
const limitSeconds = positiveInteger('limit', values.limit);
const runs = { runs: positiveInteger('runs', values.runs), note: values.note };

for (const n of values.n.map((text) => positiveInteger('n', text))) {
  const measured: Record<string, Row> = {};
  let rows: Record<string, Row> = {};
  for (const name of sidesNamed(only)) {
    process.stderr.write(`webrtc ${n} ${name} …\n`);
    measured[name] = await repeat(() => measureWebrtc(name, n, limitSeconds), runs);
    rows = overTheBareChannel(measured);
    for (const [each, row] of Object.entries(rows)) keep(`webrtc ${n}`, each, row);
  }
  console.log(`\n${tableOf(TABLES['webrtc']!, n, rows)}\n`);
}

function overTheBareChannel(rows: Readonly<Record<string, Row>>): Record<string, Row> {
  const floors = Object.entries(rows).map(([name, row]) =>
    isBare(name) && 'medians' in row ? row.medians['ms']! : Infinity,
  );
  const floorMs = Math.min(...floors);
  return Object.fromEntries(
    Object.entries(rows).map(([name, row]) => {
      if (!('medians' in row)) return [name, row];
      const overFloor = row.medians['ms']! / floorMs;
      return [name, { ...row, medians: { ...row.medians, overFloor } }];
    }),
  );
}
