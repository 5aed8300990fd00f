import { afterEach, describe, expect, it } from 'vitest';
import SimplePeer from 'simple-peer';
import wrtc from 'wrtc';
import { WebRtcLink, type WebRtcImplementation } from '../../src/transports/webrtc.ts';
import { decodeSignal, encodeSignal, type Signal } from '../../src/transports/signal.ts';
import { listen, numberedFrame, testChannel } from '../suites/channel.suite.ts';
import { UdpRelay } from '../support/udp-relay.ts';
import { connectLinks } from './connect.ts';

const relays: UdpRelay[] = [];
async function openRelay(): Promise<UdpRelay> {
  const relay = await UdpRelay.open();
  relays.push(relay);
  return relay;
}
afterEach(() => {
  for (const relay of relays.splice(0)) relay.close();
});

testChannel('WebRTC', async () => {
  const relay = await openRelay();
  const [alice, bob] = await connectLinks({}, relay);
  return { alice, bob, vanish: () => (relay.cut = true) };
});

describe('a WebRTC channel', () => {
  it('loses nothing by closing on a line with a round trip of 200 ms', async () => {
    const relay = await openRelay();
    relay.delayMs = 100;
    const [alice, bob] = await connectLinks({}, relay);
    const atBob = listen(bob);
    for (let i = 0; i < 20; i++) alice.send(numberedFrame(i, 65_536));
    await alice.close();
    expect(await atBob.closed).toBeUndefined();
    expect(atBob.frames.length).toBe(20);
  }, 60_000);

  it('delivers to a plain simple-peer all that was sent before close, and nothing else', async () => {
    const link = new WebRtcLink({ iceServers: [], initiator: true });
    const plain = new SimplePeer({
      trickle: false,
      objectMode: true,
      config: { iceServers: [] },
      wrtc: wrtc as unknown as WebRtcImplementation,
    });
    const chunks: unknown[] = [];
    plain.on('data', (chunk) => chunks.push(chunk));
    const ended = new Promise<void>((resolve) => plain.on('close', resolve));
    plain.on('signal', (signal) => link.acceptSignal(signal as Signal));
    plain.signal(JSON.parse(atob(encodeSignal(await link.localSignal(), 'original'))) as Signal);
    const channel = await link.connected;
    const received = listen(channel);
    for (let i = 0; i < 100; i++) channel.send(numberedFrame(i, 65_536));
    channel.send('over');
    await channel.close();
    await ended;
    expect(await received.closed).toBeUndefined();
    expect(chunks.map((chunk) => (chunk as string).length)).toEqual([
      ...Array.from({ length: 100 }, () => 65_536),
      4,
    ]);
  });

  it('hears a plain simple-peer, and closes in order when that is destroyed', async () => {
    const link = new WebRtcLink({ iceServers: [], initiator: false });
    const plain = new SimplePeer({
      initiator: true,
      trickle: false,
      config: { iceServers: [] },
      wrtc: wrtc as unknown as WebRtcImplementation,
    });
    plain.on('signal', (signal) => link.acceptSignal(signal as Signal));
    plain.signal(await link.localSignal());
    const channel = await link.connected;
    const received = listen(channel);
    plain.send('original');
    plain.send(new Uint8Array(262_144));
    await received.count(2);
    expect(received.frames[0]).toBe('original');
    plain.destroy();
    expect(await received.closed).toBeUndefined();
  });

  it('sends frames up to the limit of WebRTC where asked to', async () => {
    const [alice, bob] = await connectLinks({ maxFrameBytes: 1_000_000 });
    expect(alice.maxFrameBytes).toBe(262_144);
    const atBob = listen(bob);
    alice.send(new Uint8Array(262_144).fill(1));
    await atBob.count(1);
    expect(atBob.frames[0]!.length).toBe(262_144);
    await alice.close();
  });

  it('takes the largest frames of others though it sends only small ones itself', async () => {
    const alice = new WebRtcLink({ iceServers: [], initiator: true, maxFrameBytes: 262_144 });
    const bob = new WebRtcLink({ iceServers: [], initiator: false, maxFrameBytes: 1000 });
    bob.acceptSignal(await alice.localSignal());
    alice.acceptSignal(await bob.localSignal());
    const [fromAlice, atBob] = await Promise.all([alice.connected, bob.connected]);
    expect(atBob.maxFrameBytes).toBe(1000);
    const received = listen(atBob);
    fromAlice.send(new Uint8Array(262_144));
    await received.count(1);
    expect(received.frames[0]!.length).toBe(262_144);
    alice.destroy();
    expect(await received.closed).toBeUndefined();
  });
});

describe('a WebRTC link', () => {
  it.each(['short', 'original'] as const)('connects by signals in the %s form', async (form) => {
    const alice = new WebRtcLink({ iceServers: [], initiator: true });
    const bob = new WebRtcLink({ iceServers: [], initiator: false });
    const offer = encodeSignal(await alice.localSignal(), form);
    bob.acceptSignal(decodeSignal(offer));
    const answer = encodeSignal(await bob.localSignal(), form);
    alice.acceptSignal(decodeSignal(answer));
    const [fromAlice, fromBob] = await Promise.all([alice.connected, bob.connected]);
    expect(decodeSignal(offer).form).toBe(form);
    const atBob = listen(fromBob);
    fromAlice.send('hello');
    await fromAlice.close();
    await atBob.closed;
    expect(atBob.frames).toEqual(['hello']);
  });

  it('says connect-timeout when no answer comes', async () => {
    const link = new WebRtcLink({ iceServers: [], initiator: true, connectTimeoutMs: 300 });
    await link.localSignal();
    await expect(link.connected).rejects.toMatchObject({ code: 'connect-timeout' });
    expect(() => link.acceptSignal({ type: 'answer', sdp: '' })).toThrow(
      expect.objectContaining({ code: 'closed' }),
    );
  });

  it('names the last complaint of a TURN server in the error', async () => {
    const implementation: WebRtcImplementation = {
      ...(wrtc as unknown as WebRtcImplementation),
      RTCPeerConnection: class {
        constructor(configuration: RTCConfiguration) {
          const pc = new (wrtc as unknown as WebRtcImplementation).RTCPeerConnection(configuration);
          queueMicrotask(() => {
            const refusal = { url: 'turn:turn.test', errorCode: 401, errorText: 'Unauthorized' };
            pc.dispatchEvent(Object.assign(new Event('icecandidateerror'), refusal));
          });
          return pc;
        }
      } as unknown as typeof RTCPeerConnection,
    };
    const link = new WebRtcLink({
      iceServers: [],
      initiator: true,
      connectTimeoutMs: 300,
      wrtc: implementation,
    });
    await expect(link.connected).rejects.toThrow(/turn:turn\.test.*401.*Unauthorized/);
  });

  it('says connect-failed for a description that WebRTC refuses', async () => {
    const link = new WebRtcLink({ iceServers: [], initiator: false });
    link.acceptSignal({ type: 'offer', sdp: 'v=0\r\nm=application nonsense\r\n' });
    await expect(link.connected).rejects.toMatchObject({ code: 'connect-failed' });
    await expect(link.localSignal()).rejects.toMatchObject({ code: 'connect-failed' });
  });

  it('refuses the wrong kind of signal and a second one', async () => {
    const alice = new WebRtcLink({ iceServers: [], initiator: true });
    const bob = new WebRtcLink({ iceServers: [], initiator: false });
    const offer = await alice.localSignal();
    expect(() => alice.acceptSignal(offer)).toThrow(
      expect.objectContaining({ name: 'SignalError', code: 'expected-answer' }),
    );
    bob.acceptSignal(offer);
    expect(() => bob.acceptSignal(offer)).toThrow(
      expect.objectContaining({ name: 'SignalError', code: 'already-used' }),
    );
    alice.destroy();
    bob.destroy();
    await expect(alice.connected).rejects.toMatchObject({ code: 'closed' });
    await expect(bob.connected).rejects.toMatchObject({ code: 'closed' });
  });

  it('takes the offer at once, before its WebRTC package is loaded', async () => {
    const alice = new WebRtcLink({ iceServers: [], initiator: true });
    const offer = await alice.localSignal();
    const bob = new WebRtcLink({ iceServers: [], initiator: false });
    bob.acceptSignal(offer);
    alice.acceptSignal(await bob.localSignal());
    const fromAlice = await alice.connected;
    await Promise.all([bob.connected, fromAlice.close()]);
  });
});
