import { afterEach, expect, test } from 'vitest';
import type { SignalingServer } from '../../signaling/server.ts';
import { newProof, TestClient, TestServers } from './client.ts';
import { type MemoryBroker, MemoryBus } from './memory-broker.ts';

const servers = new TestServers();

afterEach(() => servers.close());

interface Node {
  readonly url: string;
  readonly server: SignalingServer;
  readonly broker: MemoryBroker;
}

async function startNodes(
  beats: { heartbeatSeconds?: number; brokerBeatSeconds?: number } = {},
): Promise<[Node, Node]> {
  const bus = new MemoryBus();
  const start = async (): Promise<Node> => {
    const broker = bus.connect();
    return { ...(await servers.start({ broker, ...beats })), broker };
  };
  return [await start(), await start()];
}

test('members on two servers find each other, whoever came first, and exchange messages', async () => {
  const [east, west] = await startNodes();
  const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
  const { member: alice } = await a.join('r');
  const { member: bob, members } = await b.join('r');
  // The answer does not wait for the other server; who is there is heard a moment later.
  expect(members).toEqual([]);
  expect(await b.next('entered')).toMatchObject({ member: alice });
  expect(await a.next('entered')).toMatchObject({ member: bob });
  a.say({ type: 'send', room: 'r', to: bob, data: 'over' });
  expect(await b.next('message')).toMatchObject({ from: alice, data: 'over' });
  b.say({ type: 'send', room: 'r', to: alice, data: 'back' });
  expect(await a.next('message')).toMatchObject({ from: bob, data: 'back' });

  const c = await TestClient.connect(east.url);
  expect((await c.join('r')).members).toEqual(expect.arrayContaining([alice, bob]));
  await b.next('entered');
  await a.next('entered');
  await b.end();
  expect(await a.next('left')).toMatchObject({ member: bob });
  a.say({ type: 'send', room: 'r', to: bob, data: 'gone' });
  expect(await a.next('error')).toMatchObject({ code: 'no-such-member' });
});

test('who comes again on another server takes the place of the former self there', async () => {
  const [east, west] = await startNodes();
  const [a, old, young] = [
    await TestClient.connect(east.url),
    await TestClient.connect(east.url),
    await TestClient.connect(west.url),
  ];
  const bob = newProof();
  const { member: alice } = await a.join('r');
  await old.join('r', bob);
  await a.next('entered');
  await young.join('r', bob);
  expect(await young.next('entered')).toMatchObject({ member: alice });
  expect(await old.next('error')).toMatchObject({ code: 'replaced', room: 'r' });
  expect(await a.next('entered')).toMatchObject({ member: bob.member });
  await old.end();
  a.say({ type: 'send', room: 'r', to: bob.member, data: 'x' });
  expect(await young.next('message')).toMatchObject({ data: 'x' });
  await a.settled();
  expect(a.heard).toEqual([]);
});

test('a server that vanished takes its members with it; when the broker is back, so are they', async () => {
  const [east, west] = await startNodes({ brokerBeatSeconds: 0.1 });
  const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
  await a.join('r');
  const { member: bob } = await b.join('r');
  expect(await a.next('entered')).toMatchObject({ member: bob });
  west.broker.goAway();
  expect(
    (await (await fetch(`${west.url.replace('ws', 'http')}health`)).json()) as object,
  ).toMatchObject({
    brokerUp: false,
  });
  const metrics = await (await fetch(`${west.url.replace('ws', 'http')}metrics`)).text();
  expect(metrics).toContain('emberlink_signal_broker_up{broker="memory"} 0');
  expect(await a.next('left')).toMatchObject({ member: bob });
  await west.broker.comeBack();
  expect(await a.next('entered')).toMatchObject({ member: bob });
});

test('a departure that the broker lost is made good at the next heartbeat', async () => {
  const [east, west] = await startNodes({ heartbeatSeconds: 0.1 });
  const a = await TestClient.connect(east.url);
  const [b, c] = [await TestClient.connect(west.url), await TestClient.connect(west.url)];
  await a.join('r');
  const { member: bob } = await b.join('r');
  await a.next('entered');
  await b.next('entered');
  await c.join('r');
  await a.next('entered');
  west.broker.goAway();
  await b.end();
  expect(await c.next('left')).toMatchObject({ member: bob });
  await west.broker.comeBack();
  expect(await a.next('left')).toMatchObject({ member: bob });
});
