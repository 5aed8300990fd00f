import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { runChild } from '../child.ts';
import type { MeshTask } from '../children/mesh.ts';
import { repeat } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';

const { values } = parseArgs({
  options: {
    writes: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    delay: { type: 'string', default: '20' },
    only: { type: 'string' },
    runs: { type: 'string', default: '1' },
    limit: { type: 'string', default: '300' },
    note: { type: 'string' },
  },
});
const writes = positiveInteger('writes', values.writes);
const seconds = positiveInteger('seconds', values.seconds);
const maxDelayMs = positiveInteger('delay', values.delay);
const limitSeconds = positiveInteger('limit', values.limit);
const runs = { runs: positiveInteger('runs', values.runs), note: values.note };

const MESHES: Record<string, Pick<MeshTask, 'peers' | 'offsets' | 'rooms'>> = {
  '12 peers, all with all': { peers: 12, offsets: [] },
  '50 peers, a ring with chords': { peers: 50, offsets: [1, 2, 4, 8, 16, 32] },
  'a room of 50, in memory': { peers: 50, offsets: [], rooms: 'memory' },
  'a room of 8, WebRTC': { peers: 8, offsets: [], rooms: 'webrtc' },
};

const rows: Record<string, Row> = {};
for (const [mesh, shape] of Object.entries(MESHES)) {
  if (values.only !== undefined && !mesh.startsWith(values.only)) continue;
  for (const floods of [true, false]) {
    const name = `emberlink, ${mesh}${floods ? ', flooding' : ''}`;
    process.stderr.write(`mesh: ${name} …\n`);
    const task: MeshTask = { ...shape, writes, seconds, maxDelayMs, floods };
    const row = await repeat(() => runChild('mesh', task, limitSeconds), runs);
    rows[name] = row;
    keep(`mesh ${writes}`, name, row);
  }
}
console.log(`\n${tableOf(TABLES['mesh']!, writes, rows)}\n`);
