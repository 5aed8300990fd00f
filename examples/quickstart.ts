import { openLedger, Sync } from 'emberlink';

const alice = await openLedger('alice', { storage: 'memory' });
const bob = await openLedger('bob', { storage: 'memory' });
await alice.put({ _id: 'song', title: 'Wildfire', plays: 1 });

const fromAlice = new Sync(alice);
const fromBob = new Sync(bob);
const offer = await fromAlice.offer(); //        Alice sends this text to Bob,
const answer = await fromBob.accept(offer); //   Bob sends this one back,
fromAlice.connect(answer); //                    and the two are connected.
await fromAlice.synced();

await bob.put({ _id: 'song', title: 'Wildfire', plays: 2 }); // From now on every write flows.
await fromBob.synced();
console.log(await alice.get('song')); // { _id: 'song', plays: 2, title: 'Wildfire' }

await fromAlice.close();
await Promise.all([alice.close(), bob.close()]);
