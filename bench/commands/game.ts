import { parseArgs } from 'node:util';
import { positiveInteger } from '../arguments.ts';
import { type Outcome, reasonOf } from '../child.ts';
import { measureDelivery } from '../game/measure-delivery.ts';
import { measureFrames } from '../game/measure-frames.ts';
import { rowOf } from '../measure.ts';
import { tableOf } from '../render.ts';
import { keep, type Row } from '../results.ts';
import { TABLES } from '../tables.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    players: { type: 'string', multiple: true, default: ['1', '2', '8'] },
    runs: { type: 'string', default: '3' },
    note: { type: 'string' },
  },
});
const seconds = positiveInteger('seconds', values.seconds);
const runs = positiveInteger('runs', values.runs);
const players = values.players.map((text) => positiveInteger('players', text));

const frames = new Map<string, Outcome[]>();
const deliveries = new Map<string, Outcome[]>();
for (let run = 0; run < runs; run++) {
  for (const count of players) {
    process.stderr.write(`game, ${count} players …\n`);
    note(frames, nameOf(count), await tried(() => measureFrames(count, seconds)));
  }
  process.stderr.write('game-delivery …\n');
  const measured = await tried(() => measureDelivery(seconds));
  if (measured instanceof Error) note(deliveries, 'emberlink', measured);
  else for (const [name, metrics] of Object.entries(measured)) note(deliveries, name, metrics);
}
show('game', frames);
show('game-delivery', deliveries);

function nameOf(count: number): string {
  return count === 1 ? 'emberlink: alone with two bots' : `emberlink: ${count} players`;
}

function note(
  outcomes: Map<string, Outcome[]>,
  name: string,
  told: Record<string, number> | Error,
): void {
  const outcome: Outcome = told instanceof Error ? { error: reasonOf(told) } : { metrics: told };
  outcomes.set(name, [...(outcomes.get(name) ?? []), outcome]);
}

async function tried<T>(measure: () => Promise<T>): Promise<T | Error> {
  try {
    return await measure();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function show(kind: string, outcomes: ReadonlyMap<string, readonly Outcome[]>): void {
  const rows: Record<string, Row> = {};
  for (const [name, told] of outcomes) {
    rows[name] = rowOf(told, values.note);
    keep(`${kind} ${seconds}`, name, rows[name]);
  }
  console.log(`\n${tableOf(TABLES[kind]!, seconds, rows)}\n`);
}
