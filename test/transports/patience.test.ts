import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { WebRtcLink } from '../../src/transports/webrtc.ts';
import { listen } from '../suites/channel.suite.ts';
import { UdpRelay } from '../support/udp-relay.ts';

/** ICE alone gives up after 15 seconds. */
const PASTING_MS = Number(process.env['EMBERLINK_PASTE_SECONDS'] ?? 20) * 1000;

it(
  `connects both sides behind NATs when the answer is pasted after ${PASTING_MS / 1000} seconds`,
  async () => {
    const relay = await UdpRelay.open();
    relay.nat = true;
    const alice = new WebRtcLink({ iceServers: [], initiator: true });
    const bob = new WebRtcLink({ iceServers: [], initiator: false });
    try {
      bob.acceptSignal(relay.rewrite('alice', await alice.localSignal()));
      const answer = relay.rewrite('bob', await bob.localSignal());
      await pause(PASTING_MS);
      expect(relay.forwarded).toBe(0);
      alice.acceptSignal(answer);
      const [fromAlice, fromBob] = await Promise.all([alice.connected, bob.connected]);
      const atBob = listen(fromBob);
      fromAlice.send('at last');
      await fromAlice.close();
      await atBob.closed;
      expect(atBob.frames).toEqual(['at last']);
    } finally {
      alice.destroy();
      bob.destroy();
      relay.close();
    }
  },
  PASTING_MS + 40_000,
);

it('gives up at its deadline when the other side stays unreachable', async () => {
  const relay = await UdpRelay.open();
  relay.cut = true;
  const alice = new WebRtcLink({ iceServers: [], initiator: true });
  const bob = new WebRtcLink({ iceServers: [], initiator: false, connectTimeoutMs: 2000 });
  bob.acceptSignal(relay.rewrite('alice', await alice.localSignal()));
  alice.acceptSignal(relay.rewrite('bob', await bob.localSignal()));
  await expect(bob.connected).rejects.toMatchObject({ code: 'connect-timeout' });
  alice.destroy();
  await expect(alice.connected).rejects.toMatchObject({ code: 'closed' });
  relay.close();
});
