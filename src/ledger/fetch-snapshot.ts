import { LedgerError } from '../errors.ts';

/** The bytes of a CAR that lies at an address. @throws LedgerError `no-snapshot` */
export async function fetchSnapshot(address: string | URL): Promise<AsyncIterable<Uint8Array>> {
  let cause: unknown;
  try {
    const response = await fetch(address);
    if (response.ok && response.body !== null) return chunksOf(response.body);
    cause = new Error(`status ${response.status}`);
  } catch (error) {
    cause = error;
  }
  throw new LedgerError('no-snapshot', `the snapshot at ${String(address)} cannot be fetched`, {
    cause,
  });
}

/** Not every browser's streams can be iterated over. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
