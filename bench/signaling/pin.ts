import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

/** Keeps this process, all its threads, on one core. */
export function pinTo(core: number): void {
  const place = String(core % cpus().length);
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', place, String(process.pid)], {
    stdio: 'ignore',
  });
}
