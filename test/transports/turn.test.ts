import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkSignal } from '../../src/rooms/link.ts';
import { webRtcLinker } from '../../src/rooms/webrtc-linker.ts';
import { listen, numberedFrame } from '../suites/channel.suite.ts';
import { Random } from '../support/random.ts';
import { openAttempts } from '../support/signal-path.ts';
import { hasTurnServer, TurnServer } from '../support/turn-server.ts';

const isInstalled = hasTurnServer();
if (!isInstalled)
  console.warn('skipped: there is no turnserver here (Debian: apt-get install coturn)');

describe.skipIf(!isInstalled)('links by way of a TURN server', () => {
  let server: TurnServer;
  beforeAll(async () => {
    server = await TurnServer.start();
  });
  afterAll(() => server.stop());

  const linker = webRtcLinker({ iceTransportPolicy: 'relay' });

  it('carry 20 MB where there is no other way', async () => {
    const { alice, bob, told } = openAttempts(
      linker,
      new Random(1),
      {},
      { iceServers: [server.iceServer()] },
    );
    const [fromAlice, fromBob] = await Promise.all([alice.connected, bob.connected]);
    const atBob = listen(fromBob.channel);
    const frames = 20_000_000 / 62_500;
    for (let i = 0; i < frames; i++) {
      await fromAlice.channel.drained();
      fromAlice.channel.send(numberedFrame(i, 62_500));
    }
    await atBob.count(frames);
    await fromAlice.channel.close();
    expect(await atBob.closed).toBeUndefined();
    const ways = [...told.alice, ...told.bob].flatMap(wayOf);
    expect(new Set(ways)).toEqual(new Set(['relay']));
  }, 60_000);

  it.each([
    ['wrong', () => ({ ...server.iceServer(), credential: 'guessed' })],
    ['expired', () => server.iceServer(-60)],
  ])('name the refusal of %s credentials', async (_, iceServer) => {
    const { alice, bob } = openAttempts(
      linker,
      new Random(1),
      {},
      { iceServers: [iceServer()], connectTimeoutMs: 4000 },
    );
    for (const { connected } of [alice, bob]) {
      await expect(connected).rejects.toMatchObject({
        name: 'ConnectionError',
        message: expect.stringMatching(/turn:127\.0\.0\.1.*401/) as string,
      });
    }
  });
});

function wayOf({ text }: LinkSignal): string[] {
  const { candidate } = JSON.parse(text) as { candidate?: string };
  return candidate === undefined ? [] : [/ typ (\w+)/.exec(candidate)![1]!];
}
