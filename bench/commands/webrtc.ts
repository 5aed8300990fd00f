import { parseArgs } from 'node:util';
import { repeat } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';
import { BARE, sidesNamed } from '../webrtc/index.ts';
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
const limitSeconds = Number(values.limit);
const runs = { runs: Number(values.runs), note: values.note };

for (const n of values.n.map(Number)) {
  const rows: Record<string, Row> = {};
  let floorMs = NaN;
  for (const name of sidesNamed(only)) {
    process.stderr.write(`webrtc ${n} ${name} …\n`);
    let row = await repeat(() => measureWebrtc(name, n, limitSeconds), runs);
    if ('medians' in row) {
      if (name === BARE) floorMs = row.medians['ms']!;
      const overFloor = row.medians['ms']! / floorMs;
      row = { ...row, medians: { ...row.medians, floorMs, overFloor } };
    }
    rows[name] = row;
    keep(`webrtc ${n}`, name, row);
  }
  console.log(`\n${tableOf(TABLES['webrtc']!, n, rows)}\n`);
}
