import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Outcome, Task } from './children/measure.ts';
import { childProgram } from './paths.ts';
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

/** The medians of several runs, each in a fresh process; a run that fails is the last one. */
export async function measure(
  task: Omit<Task, 'step' | 'folder'>,
  { runs, limitSeconds, note }: MeasureOptions,
): Promise<Row> {
  const told = circumstances(note);
  const all: Metrics[] = [];
  while (all.length < runs) {
    const outcome = await measureOnce(task, limitSeconds);
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
      const prepared = await inChild({ ...task, step: 'prepare', folder }, limitSeconds);
      if ('error' in prepared) return prepared;
    }
    return await inChild({ ...task, step: 'run', folder }, limitSeconds);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function inChild(task: Task, limitSeconds: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = fork(childProgram('measure'), [JSON.stringify(task)], {
      execArgv: ['--expose-gc', '--enable-source-maps'],
    });
    let outcome: Outcome = { error: 'ended without a result' };
    const timer = setTimeout(() => {
      outcome = { error: `did not finish in ${limitSeconds} s` };
      child.kill('SIGKILL');
    }, limitSeconds * 1000);
    child.on('message', (message) => (outcome = message as Outcome));
    child.on('exit', () => {
      clearTimeout(timer);
      resolve(outcome);
    });
  });
}

export function mediansOf(all: readonly Metrics[]): Metrics {
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
