import { afterEach, expect, test } from 'vitest';
import { newProof, TestClient, TestServers } from './client.ts';

const servers = new TestServers();

afterEach(() => servers.close());

test('members of a room hear who comes, what is for them, and who goes', async () => {
  const { url, server } = await servers.start();
  const [alice, bob, carol] = [newProof(), newProof(), newProof()];
  const a = await TestClient.connect(url);
  const b = await TestClient.connect(url);
  const c = await TestClient.connect(url);
  expect(await a.join('room', alice)).toMatchObject({ member: alice.member, members: [] });
  expect(await b.join('room', bob)).toMatchObject({ member: bob.member, members: [alice.member] });
  expect(await a.next('entered')).toEqual({ type: 'entered', room: 'room', member: bob.member });
  const joined = await c.join('room', carol);
  expect([...joined.members].sort()).toEqual([alice.member, bob.member].sort());
  await a.next('entered');
  await b.next('entered');

  a.say({ type: 'send', room: 'room', to: bob.member, data: 'hello' });
  const message = { type: 'message', room: 'room', from: alice.member, data: 'hello' };
  expect(await b.next('message')).toEqual(message);
  expect(server.stats()).toMatchObject({
    connections: 3,
    rooms: 1,
    members: 3,
    messagesRelayed: 1,
  });

  b.say({ type: 'leave', room: 'room' });
  expect(await a.next('left')).toEqual({ type: 'left', room: 'room', member: bob.member });
  await c.end();
  expect(await a.next('left')).toEqual({ type: 'left', room: 'room', member: carol.member });
  await a.settled();
  await b.settled();
  expect([a.heard, b.heard]).toEqual([[], []]);
});

test('who shows the same proof on a new connection takes the place of the former one', async () => {
  const { url } = await servers.start();
  const [alice, bob] = [newProof(), newProof()];
  const a = await TestClient.connect(url);
  const old = await TestClient.connect(url);
  const young = await TestClient.connect(url);
  await a.join('room', alice);
  await old.join('room', bob);
  await a.next('entered');
  expect(await young.join('room', bob)).toMatchObject({ members: [alice.member] });
  expect(await old.next('error')).toMatchObject({ code: 'replaced', room: 'room' });
  expect(await a.next('entered')).toMatchObject({ member: bob.member });

  a.say({ type: 'send', room: 'room', to: bob.member, data: 'x' });
  expect(await young.next('message')).toMatchObject({ data: 'x' });
  old.say({ type: 'send', room: 'room', to: alice.member, data: 'y' });
  expect(await old.next('error')).toMatchObject({ code: 'not-a-member' });
  await old.end();
  await a.settled();
  expect(a.heard).toEqual([]);
});
