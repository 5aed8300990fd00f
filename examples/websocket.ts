import { connectWebSocket, createRoomSecret, openLedger } from 'emberlink';
import { serveWebSocket } from 'emberlink/server';

// On a machine that is always on:
const secret = createRoomSecret(); // 'ember-…': whoever has it may read and write.
const alice = await openLedger('alice', { storage: 'memory' });
const server = await serveWebSocket(alice, { secret });
await alice.put({ _id: 'song', title: 'Wildfire', plays: 1 });

// In a browser, or anywhere else:
const bob = await openLedger('bob', { storage: 'memory' });
const sync = connectWebSocket(bob, server.url, { secret });
await sync.backlog();
console.log(await bob.get('song')); // { _id: 'song', plays: 1, title: 'Wildfire' }

await bob.put({ _id: 'song', title: 'Wildfire', plays: 2 }); // From now on every write flows,
await sync.synced(); //                                         through lost connections too.
console.log(await alice.get('song')); // { _id: 'song', plays: 2, title: 'Wildfire' }

await sync.close();
await server.close();
await Promise.all([alice.close(), bob.close()]);
