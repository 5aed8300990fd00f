import { resolve } from 'node:path';

/** This folder. Told by the running program, `.built/…/commands/…`: bundled code lies anywhere. */
export const BENCH_FOLDER: string = resolve(process.argv[1]!, '../../../..');

/** A bundled program of `children/`. */
export function childProgram(name: string): string {
  return resolve(process.argv[1]!, '../../children', `${name}.mjs`);
}
