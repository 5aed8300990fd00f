import type { Place } from '../../../src/storage/place.ts';
import { type PlaceFixture, placeSuite } from '../../suites/place.suite.ts';
import type { PlaceAnswer, PlaceCall } from '../support/opfs-worker.ts';

/** A place in the origin private file system, which only workers have. */
async function opfsFixture(): Promise<PlaceFixture> {
  const name = crypto.randomUUID();
  const worker = new Worker(new URL('../support/opfs-worker.ts', import.meta.url), {
    type: 'module',
  });
  const waiting: ((answer: PlaceAnswer) => void)[] = [];
  worker.addEventListener('message', ({ data }: MessageEvent<PlaceAnswer>) =>
    waiting[data.id]!(data),
  );
  const call = async (
    method: PlaceCall['method'],
    ...args: readonly unknown[]
  ): Promise<unknown> => {
    const { value, error } = await new Promise<PlaceAnswer>((resolve) => {
      const id = waiting.push(resolve) - 1;
      worker.postMessage({ id, method, args } satisfies PlaceCall);
    });
    if (error !== undefined) throw Object.assign(new Error(error.message), error);
    return value;
  };
  const place = new Proxy({} as Place, {
    get: (_, method) =>
      // Else it were taken for a promise.
      method === 'then' ? undefined : (...args: unknown[]) => call(method as keyof Place, ...args),
  });
  const open = async (): Promise<Place> => {
    await call('open', name);
    return place;
  };
  return {
    open,
    remove: async () => {
      await (await open()).destroy();
      worker.terminate();
    },
  };
}

placeSuite('OPFS', opfsFixture);
