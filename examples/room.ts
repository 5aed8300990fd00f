import { createRoomSecret, joinRoom, openLedger } from 'emberlink';
import { createSignalingServer } from 'emberlink/server';

// Somewhere: `npx emberlink signal`, or in a program of your own.
const server = createSignalingServer({ port: 0, host: '127.0.0.1', logLevel: 'error' });
const { url } = await server.listen();
const secret = createRoomSecret(); // 'ember-…': put it into the link that people share.

// In each app:
const options = { room: 'songs', secret, signaling: url, iceServers: [] };
const alice = await openLedger('alice', { storage: 'memory' });
const bob = await openLedger('bob', { storage: 'memory' });
await alice.put({ _id: 'song', title: 'Wildfire', plays: 1 });
const alices = joinRoom(alice, { ...options, info: { name: 'Alice' } });
const bobs = joinRoom(bob, { ...options, info: { name: 'Bob' } });

while (bobs.peers.length === 0) await new Promise((resolve) => bobs.subscribe(resolve));
await bobs.synced();
console.log(await bob.get('song')); // { _id: 'song', plays: 1, title: 'Wildfire' }
console.log(bobs.peers[0]?.info, bobs.status.state); // { name: 'Alice' } live

bobs.presence.set({ x: 3 }); // What lasts as long as Bob stays, and is stored nowhere.
await new Promise((resolve) => alices.presence.subscribe(() => resolve(undefined)));
console.log([...alices.presence.all().values()]); // [ { x: 3 } ]

await Promise.all([alices.leave(), bobs.leave()]);
await server.close();
await Promise.all([alice.close(), bob.close()]);
