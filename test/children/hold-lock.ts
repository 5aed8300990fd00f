/**
 * Opens and closes the folder named by its argument as told by the lines `open` and `close`, and
 * answers `held`, `closed`, or the code and message of the error.
 */
import { createInterface } from 'node:readline';
import { FilesPlace } from '../../src/storage/files.ts';

const folder = process.argv[2]!;
let place: FilesPlace | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await obey(line)}\n`);
}

async function obey(line: string): Promise<string> {
  try {
    if (line === 'open') {
      place = await FilesPlace.open(folder);
      return 'held';
    }
    await place?.close();
    return 'closed';
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return `${code} ${message}`;
  }
}
