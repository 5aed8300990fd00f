import { OpfsPlace } from '../../../src/storage/opfs.ts';
import type { PlaceAnswer, PlaceCall } from './worker-place.ts';

/** A place of the origin private file system, for a page: only workers have it. */
let place: OpfsPlace | undefined;

globalThis.onmessage = async ({ data }: MessageEvent<PlaceCall>) => {
  postMessage(await perform(data));
};

async function perform({ number, method, args }: PlaceCall): Promise<PlaceAnswer> {
  try {
    if (method === 'open') {
      place = await OpfsPlace.open(args[0] as string);
      return { number, value: undefined };
    }
    const action = place![method] as (...values: readonly unknown[]) => unknown;
    return { number, value: await action.apply(place, [...args]) };
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { number, error: { code, message } };
  }
}
