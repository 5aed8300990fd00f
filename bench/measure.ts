import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type Outcome, runChild } from './child.ts';
import type { Task } from './children/measure.ts';
import { quantile } from './quantile.ts';
import { circumstances, type Row } from './results.ts';
import { WORKLOADS } from './workloads/index.ts';
import type { Metrics, Workload } from './workloads/workload.ts';

export interface MeasureOptions {
  readonly runs: number;
  /** How long one process may take before it is killed. */
  readonly limitSeconds: number;
  readonly note: string | undefined;
}

/** The medians of several runs of a workload for a library, each run in a fresh process. */
export function measure(
  task: Omit<Task, 'step' | 'folder'>,
  options: MeasureOptions,
): Promise<Row> {
  return repeat(() => measureOnce(task, options.limitSeconds), options);
}

/** Makes a row of several runs; a run that fails is the last one, and the row tells why. */
export async function repeat(
  run: () => Promise<Outcome>,
  { runs, note }: Pick<MeasureOptions, 'runs' | 'note'>,
): Promise<Row> {
  const told = circumstances(note);
  const all: Metrics[] = [];
  while (all.length < runs) {
    const outcome = await run();
    if ('error' in outcome) return { ...told, failed: outcome.error };
    all.push(outcome.metrics);
  }
  return { ...told, runs, medians: mediansOf(all) };
}

async function measureOnce(
  task: Omit<Task, 'step' | 'folder'>,
  limitSeconds: number,
): Promise<Outcome> {
  const folder = await mkdtemp(`${tmpdir()}/emberlink-bench-`);
  try {
    const workload: Workload = WORKLOADS[task.workload];
    if (workload.prepare !== undefined) {
      const prepared = await runChild(
        'measure',
        { ...task, step: 'prepare', folder },
        limitSeconds,
      );
      if ('error' in prepared) return prepared;
    }
    return await runChild('measure', { ...task, step: 'run', folder }, limitSeconds);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function mediansOf(all: readonly Metrics[]): Metrics {
  return Object.fromEntries(
    Object.keys(all[0] ?? {}).map((name) => [
      name,
      quantile(
        all.map((metrics) => metrics[name]!),
        0.5,
      ),
    ]),
  );
}
