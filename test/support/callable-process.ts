import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };
type ArgumentsOf<F> = F extends (...args: infer Args) => unknown ? Args : never;
type ResultOf<F> = F extends (...args: never[]) => infer Result ? Result : never;

type News = { readonly news: unknown };

/** A process that runs a program of test/children; `call` runs one of its methods there. */
export class CallableProcess<Methods> {
  /** Told what the process says of its own accord. */
  onNews: (news: unknown) => void = () => undefined;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void }
  >();
  #nextId = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message) => {
      if ('news' in (message as News)) {
        this.onNews((message as News).news);
        return;
      }
      const { id, value, error } = message as Answer;
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    });
    child.on('exit', (code, signal) => {
      for (const call of this.#waiting.values()) {
        call.reject(new Error(`the process ended: ${code ?? signal}`));
      }
      this.#waiting.clear();
    });
  }

  call<M extends keyof Methods & string>(
    method: M,
    ...args: ArgumentsOf<Methods[M]>
  ): ResultOf<Methods[M]> {
    return this.#call(method, args) as ResultOf<Methods[M]>;
  }

  /** Calls `end`; the process then has to end by itself. Gives its exit code. */
  async end(): Promise<number | null> {
    const exited = once(this.#child, 'exit');
    await this.#call('end', []);
    const [code] = (await exited) as [number | null];
    return code;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #call(method: string, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, method, args });
    });
  }
}
