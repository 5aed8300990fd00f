import { describe, expect, it } from 'vitest';
import wrtc from 'wrtc';
import { ConnectionError } from '../../src/errors.ts';
import { webRtcLinker } from '../../src/rooms/webrtc-linker.ts';
import type { WebRtcImplementation } from '../../src/transports/webrtc.ts';
import { listen } from '../suites/channel.suite.ts';
import { testLinks } from '../suites/link.suite.ts';
import { Random } from '../support/random.ts';
import { openAttempts } from '../support/signal-path.ts';
import { UdpRelay } from '../support/udp-relay.ts';

testLinks(
  'WebRTC',
  () => webRtcLinker(),
  async () => {
    const relay = await UdpRelay.open();
    return {
      linker: webRtcLinker(),
      path: { relay },
      stop: () => (relay.cut = true),
      goOn: () => (relay.cut = false),
      close: () => relay.close(),
    };
  },
);

type CreateDataChannel = RTCPeerConnection['createDataChannel'];

/** Node's WebRTC with another way to make data channels. */
function withDataChannels(
  wrap: (create: CreateDataChannel) => CreateDataChannel,
): WebRtcImplementation {
  const native = wrtc as unknown as WebRtcImplementation;
  return {
    ...native,
    RTCPeerConnection: class {
      constructor(configuration: RTCConfiguration) {
        const pc = new native.RTCPeerConnection(configuration);
        pc.createDataChannel = wrap(pc.createDataChannel.bind(pc));
        return pc;
      }
    } as unknown as typeof RTCPeerConnection,
  };
}

/** A linker whose data channels a test can get hold of, by their labels. */
function openLinker(): {
  linker: ReturnType<typeof webRtcLinker>;
  channels: Map<string, RTCDataChannel>;
} {
  const channels = new Map<string, RTCDataChannel>();
  const implementation = withDataChannels((create) => (label, options) => {
    const channel = create(label, options);
    channels.set(label, channel);
    return channel;
  });
  return { linker: webRtcLinker({ wrtc: implementation }), channels };
}

describe('a link over WebRTC', () => {
  it.each([
    ['control', 'a text', 'a text', 'malformed-frame'],
    ['control', 'too large a message', new Uint8Array(16_385), 'frame-too-large'],
    ['datagrams', 'a text', 'a text', 'malformed-frame'],
    ['datagrams', 'too large a message', new Uint8Array(16_385), 'frame-too-large'],
  ] as const)('ends when the %s of the other side carry %s', async (label, _, data, code) => {
    const { linker: rude, channels } = openLinker();
    const attempts = openAttempts({ alice: rude, bob: webRtcLinker() }, new Random(1));
    const [fromAlice, fromBob] = await Promise.all([
      attempts.alice.connected,
      attempts.bob.connected,
    ]);
    const atBob = listen(fromBob.channel);
    const atAlice = listen(fromAlice.channel);
    channels.get(label)!.send(data as string);
    expect(await atBob.closed).toMatchObject({ name: 'ProtocolError', code });
    expect(await atAlice.closed).toBeUndefined();
  });

  it('does not come about with a peer that has no control channel', async () => {
    const elsewhere = withDataChannels(
      (create) => (label, options) =>
        create(label, label === 'control' ? { ...options, id: 200 } : options),
    );
    const attempts = openAttempts(
      { alice: webRtcLinker({ wrtc: elsewhere }), bob: webRtcLinker() },
      new Random(1),
      {},
      { connectTimeoutMs: 1500 },
    );
    const errors = await Promise.all(
      [attempts.alice, attempts.bob].map(({ connected }) =>
        connected.catch((error: Error) => error),
      ),
    );
    // The side that gives up first takes the connection away from the other one.
    expect(errors).toContainEqual(
      expect.objectContaining({
        code: 'connect-timeout',
        message: expect.stringContaining('no control channel') as string,
      }),
    );
    for (const error of errors) expect(error).toBeInstanceOf(ConnectionError);
  });

  it('tells candidates one by one, after the description that they belong to', async () => {
    const { alice, bob, told } = openAttempts(webRtcLinker(), new Random(1));
    await Promise.all([alice.connected, bob.connected]);
    for (const signals of Object.values(told)) {
      const [first, ...others] = signals.map(
        ({ text }) => JSON.parse(text) as { type: string; sdp: string; ufrag: string },
      );
      expect(first!.sdp).not.toContain('a=candidate');
      expect(others.length).toBeGreaterThan(0);
      for (const { type, ufrag } of others) {
        expect(type).toBe('candidate');
        expect(first!.sdp).toContain(`a=ice-ufrag:${ufrag}\r\n`);
      }
      expect(signals.map(({ number }) => number)).toEqual(signals.map((_, i) => i));
    }
    alice.destroy();
    bob.destroy();
  });

  it('outlives candidates and descriptions that WebRTC cannot use', async () => {
    const { alice, bob } = openAttempts(webRtcLinker(), new Random(1));
    const [fromAlice, fromBob] = await Promise.all([alice.connected, bob.connected]);
    const sdp = 'v=0\r\nm=application x\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\na=fingerprint:x y\r\n';
    bob.hear({ number: 1000, text: JSON.stringify({ type: 'offer', sdp }) });
    for (let i = 0; i < 500; i++) {
      const candidate = `candidate:${i} 9 udp 1 nowhere.invalid 0 typ strange`;
      bob.hear({
        number: 1001 + i,
        text: JSON.stringify({ type: 'candidate', candidate, ufrag: 'a' }),
      });
    }
    alice.restart();
    const atBob = listen(fromBob.channel);
    const atAlice = listen(fromAlice.channel);
    fromAlice.channel.send('still');
    fromBob.channel.send('here');
    await Promise.all([atBob.count(1), atAlice.count(1)]);
    alice.destroy();
    expect(await atBob.closed).toBeUndefined();
  });
});
