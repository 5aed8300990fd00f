import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { BENCH_FOLDER } from './paths.ts';
import { PEERS } from './peers/index.ts';
import { render } from './render.ts';
import type { Metrics } from './workloads/workload.ts';

/** The row of one library, or of one setting, in one table. */
export type Row = Circumstances &
  ({ readonly runs: number; readonly medians: Metrics } | { readonly failed: string });

interface Circumstances {
  readonly measuredAt: string;
  readonly machine: string;
  /** Said by who measured, such as that the machine was shared. */
  readonly note?: string;
}

/** All that was measured so far: rows by their name, by their table (`W1 1000`). */
export interface Results {
  versions: Record<string, string>;
  tables: Record<string, Record<string, Row>>;
}

/** Keeps the row, in place of an earlier one of that name, and renders the whole page anew. */
export function keep(table: string, name: string, row: Row): void {
  const results = readResults();
  // Not all benches install the other libraries: what was known of them stays.
  const unknown = Object.fromEntries(PACKAGES.map((name) => [name, 'not installed']));
  results.versions = { ...unknown, ...results.versions, ...installedVersions() };
  (results.tables[table] ??= {})[name] = row;
  writeFileSync(`${BENCH_FOLDER}/results.json`, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(`${BENCH_FOLDER}/RESULTS.md`, render(results));
}

export function circumstances(note: string | undefined): Circumstances {
  const { model } = cpus()[0]!;
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  const machine = `${model.trim()}, ${cpus().length} cores, ${gibibytes} GiB, Node ${process.versions.node}`;
  return { measuredAt: new Date().toISOString(), machine, ...(note === undefined ? {} : { note }) };
}

function readResults(): Results {
  try {
    return JSON.parse(readFileSync(`${BENCH_FOLDER}/results.json`, 'utf8')) as Results;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error;
    return { versions: {}, tables: {} };
  }
}

const PACKAGES = [
  ...Object.values(PEERS).flatMap((peer) => peer.package ?? []),
  'y-webrtc',
  'y-indexeddb',
  'dexie',
];

function installedVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of PACKAGES) {
    try {
      const file = `${BENCH_FOLDER}/node_modules/${name}/package.json`;
      versions[name] = (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
    }
  }
  return versions;
}
