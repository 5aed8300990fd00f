/**
 * Writes documents until the disk is full: run it where files may not grow beyond some 100 KB. Prints
 * one line of JSON about what it saw then.
 */
import { openLedger, StorageError } from '../../src/index.ts';

const ledger = await openLedger('full', { folder: process.argv[2]! });
await ledger.put({ _id: 'edited', note: 'first' });
let stored = 0;
let refusal: StorageError | undefined;
while (refusal === undefined && stored < 10_000) {
  try {
    await ledger.put({ _id: `doc:${stored}`, data: 'x'.repeat(1000) });
    stored++;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    refusal = error;
  }
}
const lost = await ledger.get(`doc:${stored}`);
const last = await ledger.get(`doc:${stored - 1}`);
// There is room left for a small change.
await ledger.put({ _id: 'edited', note: 'last' });
await ledger.close();

process.stdout.write(
  `${JSON.stringify({
    code: refusal?.code,
    stored,
    isLost: lost === undefined,
    isLastThere: last !== undefined,
  })}\n`,
);
