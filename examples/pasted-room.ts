import { createRoomSecret, joinRoom, openLedger, PastedSignaling } from 'emberlink';

const secret = createRoomSecret(); // Part of what Alice sends to Bob, beside the offer.
const options = { room: 'songs', secret, iceServers: [] };
const alice = await openLedger('alice', { storage: 'memory' });
const bob = await openLedger('bob', { storage: 'memory' });
await alice.put({ _id: 'song', title: 'Wildfire', plays: 1 });

const pastedByAlice = new PastedSignaling({ iceServers: [] });
const pastedByBob = new PastedSignaling({ iceServers: [] });
const alices = joinRoom(alice, { ...options, signaling: pastedByAlice, info: { name: 'Alice' } });
const bobs = joinRoom(bob, { ...options, signaling: pastedByBob, info: { name: 'Bob' } });

const offer = await pastedByAlice.offer(); //          Alice sends this text to Bob,
const answer = await pastedByBob.accept(offer); //     Bob sends this one back,
pastedByAlice.connect(answer); //                      and they are in one room.

while (bobs.peers.length === 0) await new Promise((resolve) => bobs.subscribe(resolve));
await bobs.synced();
console.log(await bob.get('song')); // { _id: 'song', plays: 1, title: 'Wildfire' }
console.log(bobs.peers[0]?.info, bobs.status.state); // { name: 'Alice' } live

await Promise.all([alices.leave(), bobs.leave()]);
await Promise.all([pastedByAlice.close(), pastedByBob.close()]);
await Promise.all([alice.close(), bob.close()]);
