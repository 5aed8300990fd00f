import { StorageError, type StorageErrorCode } from '../../../src/errors.ts';
import type { Place } from '../../../src/storage/place.ts';

export interface PlaceCall {
  readonly number: number;
  readonly method: 'open' | keyof Place;
  readonly args: readonly unknown[];
}

export type PlaceAnswer = { readonly number: number } & (
  | { readonly value: unknown }
  | { readonly error: { readonly code: string; readonly message: string } }
);

/** The place in a worker, as seen by its page. */
export class WorkerPlace implements Place {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: PlaceAnswer) => void>();
  #calls = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<PlaceAnswer>) => {
      this.#waiting.get(data.number)?.(data);
      this.#waiting.delete(data.number);
    };
  }

  static async open(worker: Worker, name: string): Promise<WorkerPlace> {
    const place = new WorkerPlace(worker);
    await place.#call('open', name);
    return place;
  }

  async list(): Promise<{ name: string; size: number }[]> {
    return (await this.#call('list')) as { name: string; size: number }[];
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    return (await this.#call('read', name, offset, length)) as Uint8Array;
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    await this.#call('append', name, bytes);
  }

  async truncate(name: string, size: number): Promise<void> {
    await this.#call('truncate', name, size);
  }

  async sync(name: string): Promise<void> {
    await this.#call('sync', name);
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    await this.#call('replace', name, bytes);
  }

  async remove(name: string): Promise<void> {
    await this.#call('remove', name);
  }

  async close(): Promise<void> {
    await this.#call('close');
  }

  async destroy(): Promise<void> {
    await this.#call('destroy');
  }

  async #call(method: PlaceCall['method'], ...args: unknown[]): Promise<unknown> {
    const number = this.#calls++;
    const answered = new Promise<PlaceAnswer>((resolve) => this.#waiting.set(number, resolve));
    this.#worker.postMessage({ number, method, args } satisfies PlaceCall);
    const answer = await answered;
    if (!('error' in answer)) return answer.value;
    throw new StorageError(answer.error.code as StorageErrorCode, answer.error.message);
  }
}
