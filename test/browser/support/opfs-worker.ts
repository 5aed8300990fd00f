import { OpfsPlace } from '../../../src/storage/opfs.ts';

/** What a page asks of the place in its worker: `open` first, with a name, then methods of it. */
export interface PlaceCall {
  readonly id: number;
  readonly method: keyof OpfsPlace | 'open';
  readonly args: readonly unknown[];
}

export interface PlaceAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly name: string; readonly code: unknown; readonly message: string };
}

let place: OpfsPlace | undefined;

globalThis.onmessage = async ({ data }: MessageEvent<PlaceCall>) => postMessage(await answer(data));

async function answer({ id, method, args }: PlaceCall): Promise<PlaceAnswer> {
  try {
    if (method === 'open') {
      place = await OpfsPlace.open(args[0] as string);
      return { id };
    }
    const run = place![method] as (...args: readonly unknown[]) => unknown;
    return { id, value: await run.apply(place, [...args]) };
  } catch (error) {
    const { name, message, code } = error as Error & { code: unknown };
    return { id, error: { name, code, message } };
  }
}
