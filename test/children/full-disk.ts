/**
 * Appends to a log until the system refuses: run it where files may not grow beyond some 100 KB.
 * Prints one line of JSON about what happened then.
 */
import { blockOf } from '../../src/blocks.ts';
import { StorageError } from '../../src/errors.ts';
import { FilesPlace } from '../../src/storage/files.ts';
import { Log } from '../../src/storage/log.ts';

const place = await FilesPlace.open(process.argv[2]!);
const log = await Log.open(place, { durability: 'relaxed' });
const written: string[] = [];
let refusal: StorageError | undefined;

while (refusal === undefined && written.length < 10_000) {
  const group = [0, 1, 2].map((i) => blockOf(new Uint8Array(700).fill(written.length + i)));
  try {
    await log.append(group);
    written.push(...group.map(({ cid }) => cid.toString()));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    refusal = error;
  }
}

const sizes = new Map(place.list().map(({ name, size }) => [name, size]));
const sizeAfterRefusal = sizes.get('log-00000001.car');
const { end } = log;

// There is room left for less than a group.
const small = blockOf(new Uint8Array([1, 2, 3]));
await log.append([small]);
written.push(small.cid.toString());
await place.close();

const cause = refusal?.cause as { code?: string } | undefined;
const answer = { code: refusal?.code, cause: cause?.code, sizeAfterRefusal, end, written };
process.stdout.write(`${JSON.stringify(answer)}\n`);
