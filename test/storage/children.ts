import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A process that is told what to do by lines, and answers each by a line. */
export class Child {
  readonly process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #complaints = '';

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args);
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.process.stderr.on('data', (text: Buffer) => (this.#complaints += text.toString()));
  }

  async ask(line: string): Promise<string> {
    this.process.stdin.write(`${line}\n`);
    return this.nextLine();
  }

  async nextLine(): Promise<string> {
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error(`the child ended: ${this.#complaints}`);
    return answer.value;
  }

  /** Kills it without any chance to clean up, and waits until it is gone. */
  async kill(): Promise<void> {
    const { exitCode, signalCode } = this.process;
    if (exitCode !== null || signalCode !== null) return;
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}
