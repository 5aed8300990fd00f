import { fork } from 'node:child_process';
import type { SignalingServerMethods } from '../children/signaling-server.ts';
import { buildChild } from './built.ts';
import { CallableProcess } from './callable-process.ts';

let built: Promise<string> | undefined;

/** A process that runs test/children/signaling-server.ts, and what it has logged. */
export class SignalingProcess extends CallableProcess<SignalingServerMethods> {
  readonly pid: number;
  log = '';

  static async start(): Promise<SignalingProcess> {
    built ??= buildChild('signaling-server.ts');
    return new SignalingProcess(await built);
  }

  private constructor(program: string) {
    const child = fork(program, {
      silent: true,
      // Else only the beginnings of strings are in a snapshot.
      execArgv: ['--heap-snapshot-string-limit=10000000'],
    });
    super(child);
    this.pid = child.pid!;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    }
  }
}
