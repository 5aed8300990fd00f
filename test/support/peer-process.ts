import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { PeerMethods } from '../children/peer.ts';
import { buildChild } from './built.ts';

let built: Promise<string> | undefined;

/** A process that runs test/children/peer.ts; `call` runs one of its methods there. */
export class PeerProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void }
  >();
  #nextId = 0;

  static async start(): Promise<PeerProcess> {
    built ??= buildChild('peer.ts');
    return new PeerProcess(fork(await built, { execArgv: ['--expose-gc'] }));
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message) => {
      const { id, value, error } = message as { id: number; value?: unknown; error?: string };
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    });
    child.on('exit', (code, signal) => {
      for (const call of this.#waiting.values()) {
        call.reject(new Error(`the peer's process ended: ${code ?? signal}`));
      }
      this.#waiting.clear();
    });
  }

  call<M extends keyof PeerMethods>(
    method: M,
    ...args: Parameters<PeerMethods[M]>
  ): ReturnType<PeerMethods[M]> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, method, args });
    }) as ReturnType<PeerMethods[M]>;
  }

  /** Ends the Sync and the ledger; the process then has to end by itself. Gives its exit code. */
  async end(): Promise<number | null> {
    const exited = once(this.#child, 'exit');
    await this.call('end');
    const [code] = (await exited) as [number | null];
    return code;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** Connects two peers by offer, accept and connect. */
export async function connect(alice: PeerProcess, bob: PeerProcess): Promise<void> {
  const answer = await bob.call('accept', await alice.call('offer'));
  await Promise.all([alice.call('connect', answer), bob.call('connected')]);
}
