import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type Outcome, runChild } from './child.ts';
import type { Task } from './children/measure.ts';
import { quantile } from './quantile.ts';
import { circumstances, type Row } from './results.ts';
import { WORKLOADS } from './workloads/index.ts';
import type { Metrics, Workload } from './workloads/workload.ts';

/** Makes a row of several runs, one after the other. */
export async function repeat(
  run: () => Promise<Outcome>,
  { runs, note }: { readonly runs: number; readonly note: string | undefined },
): Promise<Row> {
  const outcomes: Outcome[] = [];
  while (outcomes.length < runs && !hasFailed(outcomes)) outcomes.push(await run());
  return rowOf(outcomes, note);
}

/** The medians of several runs, or why one of them failed. */
export function rowOf(outcomes: readonly Outcome[], note: string | undefined): Row {
  const told = circumstances(note);
  const all: Metrics[] = [];
  for (const outcome of outcomes) {
    if ('error' in outcome) return { ...told, failed: outcome.error };
    all.push(outcome.metrics);
  }
  return { ...told, runs: all.length, medians: mediansOf(all) };
}

/** There is no point in running again what was killed for its slowness. */
export function hasFailed(outcomes: readonly Outcome[]): boolean {
  return outcomes.some((outcome) => 'error' in outcome);
}

/**
 * One run of a workload for a library, in a fresh process with a folder of its own.
 * @param limitSeconds how long a process may take before it is killed
 */
export async function measureOnce(
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
