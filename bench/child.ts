import { type ChildProcess, fork } from 'node:child_process';
import { childProgram } from './paths.ts';
import type { Metrics } from './workloads/workload.ts';

/** What a process of `children/` tells its parent, once. */
export type Outcome = { readonly metrics: Metrics } | { readonly error: string };

const EXEC_ARGV = ['--expose-gc', '--enable-source-maps'];

/** Starts a program of `children/` with one argument, which it finds as JSON. */
export function startChild(name: string, task: object): ChildProcess {
  return fork(childProgram(name), [JSON.stringify(task)], { execArgv: EXEC_ARGV });
}

/** Runs a program of `children/` to its outcome; it is killed when that takes too long. */
export function runChild(name: string, task: object, limitSeconds: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = startChild(name, task);
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

/** The whole life of such a program: reads its task, tells what came of it, and ends. */
export async function tellOutcome<Task>(main: (task: Task) => Promise<Metrics>): Promise<void> {
  const outcome = await main(JSON.parse(process.argv[2]!) as Task).then(
    (metrics): Outcome => ({ metrics }),
    (error: unknown): Outcome => ({ error: reasonOf(error) }),
  );
  process.send!(outcome, undefined, undefined, () => process.exit());
}

/** For the cell of a table; the rest goes to the terminal. */
export function reasonOf(error: unknown): string {
  if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return 'not installed';
  console.error(error);
  return String(error).split('\n')[0]!;
}
