import * as emberlink from 'emberlink';
import { openDatabase } from '../../../src/storage/database.ts';
import { IndexedDbPlace } from '../../../src/storage/indexeddb.ts';
import { OpfsPlace } from '../../../src/storage/opfs.ts';

declare global {
  /** What tests of storage evaluate in a page, or in a worker that runs the same program. */
  var storage: {
    openDatabase: typeof openDatabase;
    IndexedDbPlace: typeof IndexedDbPlace;
    OpfsPlace: typeof OpfsPlace;
    failure: typeof failure;
  };
}

/** The error of an action, as far as it can be handed to the test. */
async function failure(
  action: () => unknown,
): Promise<{ name: string; code?: string; message: string; cause?: string }> {
  try {
    await action();
  } catch (error) {
    const { name, message, code, cause } = error as Error & { code?: string };
    return {
      name,
      message,
      ...(typeof code === 'string' ? { code } : {}),
      ...(cause instanceof Error ? { cause: cause.name } : {}),
    };
  }
  throw new Error('it did not fail');
}

/** A function of a test, to be run in a worker, and what became of it. */
export interface WorkerCall {
  readonly text: string;
  readonly args: readonly unknown[];
}
export type WorkerAnswer = { readonly value: unknown } | { readonly error: string };

async function answer({ data }: MessageEvent<WorkerCall>): Promise<WorkerAnswer> {
  try {
    const program = new Blob([`export const action = ${data.text};`], { type: 'text/javascript' });
    const { action } = (await import(URL.createObjectURL(program))) as {
      action: (...args: readonly unknown[]) => unknown;
    };
    return { value: await action(...data.args) };
  } catch (error) {
    return { error: String(error) };
  }
}

if (typeof document === 'undefined') {
  globalThis.onmessage = async (call: MessageEvent<WorkerCall>) => postMessage(await answer(call));
}
globalThis.emberlink = emberlink;
globalThis.storage = { openDatabase, IndexedDbPlace, OpfsPlace, failure };
