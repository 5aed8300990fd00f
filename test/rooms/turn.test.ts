import { describe, expect, it } from 'vitest';
import { createSignalingServer } from '../../signaling/server.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { joinRoom } from '../../src/join-room.ts';
import { hasTurnServer, TurnServer } from '../support/turn-server.ts';
import { SECRET } from './support.ts';

const isInstalled = hasTurnServer();
if (!isInstalled)
  console.warn('skipped: there is no turnserver here (Debian: apt-get install coturn)');

describe.skipIf(!isInstalled)('a room where members cannot reach each other', () => {
  it('is in sync by way of the TURN server that the signaling server hands out', async () => {
    const turn = await TurnServer.start();
    const server = createSignalingServer({
      port: 0,
      host: '127.0.0.1',
      logLevel: 'silent',
      turnUrls: [`turn:127.0.0.1:${turn.port}`],
      turnSecret: turn.secret,
    });
    const { url } = await server.listen();
    const ledgers = await Promise.all(
      ['alice', 'bob'].map((name) => openLedger(name, { storage: 'memory' })),
    );
    const [alice, bob] = ledgers;
    await alice!.put({ _id: 'song', title: 'Wildfire' });
    const options = { room: 'garden', secret: SECRET, signaling: url };
    const rooms = ledgers.map((ledger) =>
      joinRoom(ledger, { ...options, iceTransportPolicy: 'relay' }),
    );
    await expect
      .poll(() => rooms.map(({ peers }) => peers.map(({ state }) => state)), { timeout: 20_000 })
      .toEqual([['live'], ['live']]);
    expect(await bob!.get('song')).toMatchObject({ title: 'Wildfire' });
    await Promise.all(rooms.map((room) => room.leave()));
    await Promise.all(ledgers.map((ledger) => ledger.close()));
    await server.close();
    await turn.stop();
  }, 60_000);
});
