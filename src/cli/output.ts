import { stringify } from './dag-json.ts';
import { CliError, describeError } from './errors.ts';
import { printable, style, type Style } from './terminal.ts';

/** Where a command's words go: results to stdout, everything else to stderr. */
export class Output {
  readonly json: boolean;
  #failure: NodeJS.ErrnoException | undefined;
  #wake = (): void => {};

  constructor(json: boolean) {
    this.json = json;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error;
      this.#wake();
    });
    // There is nobody left to tell.
    process.stderr.on('error', () => {});
  }

  /** A line of a result for people. */
  async line(text: string): Promise<void> {
    await this.write(`${text}\n`);
  }

  /** A result for machines: one line of DAG-JSON. */
  async value(value: unknown): Promise<void> {
    await this.write(`${stringify(value)}\n`);
  }

  /**
   * Raw output; waits while the reader is slow.
   * @throws CliError `output-closed` when the reader has gone
   */
  async write(data: string | Uint8Array): Promise<void> {
    this.#check();
    if (!process.stdout.write(data)) await this.#drained();
    this.#check();
  }

  /** Says something beside the result, to people only. */
  note(text: string): void {
    if (!this.json) process.stderr.write(`${text}\n`);
  }

  error(error: unknown, debug: boolean): void {
    const described = describeError(error);
    if (this.json) {
      process.stderr.write(`${stringify({ error: described })}\n`);
    } else {
      const text = printable(described.message.replaceAll(/\s*\n\s*/g, ' '));
      process.stderr.write(`${style(process.stderr, 'red', 'emberlink:')} ${text}\n`);
    }
    if (debug && error instanceof Error) process.stderr.write(`${withCauses(error)}\n`);
  }

  style(name: Style, text: string): string {
    return style(process.stdout, name, text);
  }

  /** Resolves when everything has left this process. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#failure !== undefined || !process.stdout.writable) resolve();
      else process.stdout.write('', () => resolve());
    });
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      process.stdout.once('drain', resolve);
    });
  }

  #check(): void {
    if (this.#failure === undefined) return;
    if (this.#failure.code === 'EPIPE') {
      throw new CliError('output-closed', 'nobody reads the output', { cause: this.#failure });
    }
    throw this.#failure;
  }
}

function withCauses(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by ${withCauses(error.cause)}` : stack;
}
