import { openLedger, type Document } from 'emberlink';

const ledger = await openLedger('notes', { storage: 'memory' }); // without it: on disk, in .emberlink/notes
const stop = ledger.subscribe(({ ids, origin }) => console.log(`${origin} write of ${ids.join()}`));

const { clock } = await ledger.put({ _id: 'note:1', title: 'Fire', tags: ['warm', 'red'] });
await ledger.bulk([{ _id: 'note:2', title: 'Frost', tags: ['cold'] }, { _id: 'note:3' }]);
await ledger.del('note:3');
await ledger.put({ _id: 'note:1', title: 'Wildfire', tags: ['warm', 'red'] });
await ledger.patch({ _id: 'note:2', title: 'Frostbite' }); //       this field; the others stay

console.log(await ledger.get('note:1')); //                        the document, or undefined
console.log(await ledger.allDocs({ prefix: 'note:', limit: 10 })); // by id
console.log(await ledger.query('title', { prefix: 'F' })); //      by a field, documents included

const byTag = (note: Document, emit: (key: string) => void): void => {
  for (const tag of (note['tags'] ?? []) as string[]) emit(tag);
};
console.log(await ledger.query(byTag, { key: 'warm' })); //        by a map function

console.log(await ledger.changes(clock)); //                       what changed after a clock
console.log(await ledger.at(clock).get('note:1')); //              the past, read-only
console.log(await ledger.clockAt(Date.now() - 60_000)); //         the clock of a minute ago
console.log(await ledger.history('note:1')); //                    every writing of a document
console.log(await ledger.conflicts('note:1')); //                  concurrent versions, none here

const copy = await openLedger('copy', { storage: 'memory' });
await copy.import(ledger.export()); //                             a CAR, as a stream
console.log((await copy.verify()).digest === (await ledger.digest())); // true: the same state

stop();
await Promise.all([ledger.close(), copy.close()]);
