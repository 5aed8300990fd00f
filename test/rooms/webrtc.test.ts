import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSignalingServer, type SignalingServer } from '../../signaling/server.ts';
import { Party } from './support.ts';

let server: SignalingServer;
let url: string;

beforeAll(async () => {
  server = createSignalingServer({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
  ({ url } = await server.listen());
});

afterAll(() => server.close());

test('eight members write for a while over real WebRTC and agree at the end', async () => {
  const party = new Party();
  try {
    for (let i = 0; i < 8; i++) {
      await party.join(`peer-${i}`, { signaling: url, iceServers: [], linker: undefined as never });
    }
    const t0 = performance.now();
    await Promise.all(party.members.map(({ room }) => room.synced()));
    console.log('synced', performance.now() - t0);
    await expect
      .poll(
        () => party.members.map(({ room }) => room.peers.filter((p) => p.state === 'live').length),
        { timeout: 20000 },
      )
      .toEqual(party.members.map(() => 7));
    console.log('all live', performance.now() - t0);
    for (let n = 0; n < 100; n++) {
      for (const { ledger } of party.members)
        await ledger.put({ _id: `d${n % 10}`, [ledger.name]: n });
      await new Promise((r) => setTimeout(r, 10));
    }
    await Promise.all(party.members.map(({ room }) => room.synced()));
    const digests = new Set(await Promise.all(party.members.map(({ ledger }) => ledger.digest())));
    expect(digests.size).toBe(1);
    console.log('done', performance.now() - t0);
  } finally {
    await party.end();
  }
}, 60_000);
