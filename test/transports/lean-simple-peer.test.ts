import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type SimplePeer from 'simple-peer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leanSimplePeer } from '../../scripts/lean-simple-peer.mjs';
import { WebRtcLink } from '../../src/transports/webrtc.ts';
import { listen, testChannel } from '../suites/channel.suite.ts';
import { UdpRelay } from '../support/udp-relay.ts';
import { connectLinks } from './connect.ts';

const built = fileURLToPath(new URL('../.built/lean-simple-peer.mjs', import.meta.url));
const relays: UdpRelay[] = [];
let PeerClass: SimplePeer.SimplePeer;

beforeAll(async () => {
  await build({
    stdin: { contents: "export { default } from 'simple-peer';", resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    outfile: built,
    plugins: [leanSimplePeer],
    logLevel: 'error',
  });
  PeerClass = ((await import(built)) as { default: SimplePeer.SimplePeer }).default;
});

afterAll(() => {
  for (const relay of relays) relay.close();
  rmSync(built);
});

testChannel("WebRTC by the browsers' simple-peer", async () => {
  const relay = await UdpRelay.open();
  relays.push(relay);
  const [alice, bob] = await connectLinks({ PeerClass }, relay);
  return { alice, bob, vanish: () => (relay.cut = true) };
});

describe("a link by the browsers' simple-peer", () => {
  it('hears what the other side says in the moment in which it is connected', async () => {
    const alice = new WebRtcLink({ iceServers: [], initiator: true });
    const bob = new WebRtcLink({ iceServers: [], initiator: false, PeerClass });
    bob.acceptSignal(await alice.localSignal());
    alice.acceptSignal(await bob.localSignal());
    void alice.connected.then((channel) => {
      for (let i = 0; i < 50; i++) channel.send(`early ${i}`);
    });
    const received = listen(await bob.connected);
    await received.count(50);
    expect(received.frames).toEqual(Array.from({ length: 50 }, (_, i) => `early ${i}`));
    alice.destroy();
    expect(await received.closed).toBeUndefined();
  });

  it('tells why nothing came of it', async () => {
    const link = new WebRtcLink({ iceServers: [], initiator: false, PeerClass });
    link.acceptSignal({ type: 'offer', sdp: 'v=0 and nothing else' });
    await expect(link.connected).rejects.toMatchObject({ code: 'connect-failed' });
  });
});
