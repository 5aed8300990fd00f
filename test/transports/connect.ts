import type { Channel } from '../../src/protocol/channel.ts';
import { WebRtcLink, type WebRtcOptions } from '../../src/transports/webrtc.ts';
import type { UdpRelay } from '../support/udp-relay.ts';

/** Two links of this process, connected by their real signals, through the relay if there is one. */
export async function connectLinks(
  options: Omit<WebRtcOptions, 'initiator'> = {},
  relay?: UdpRelay,
): Promise<[Channel, Channel]> {
  const alice = new WebRtcLink({ iceServers: [], ...options, initiator: true });
  const bob = new WebRtcLink({ iceServers: [], ...options, initiator: false });
  const offer = await alice.localSignal();
  bob.acceptSignal(relay?.rewrite('alice', offer) ?? offer);
  const answer = await bob.localSignal();
  alice.acceptSignal(relay?.rewrite('bob', answer) ?? answer);
  return Promise.all([alice.connected, bob.connected]);
}
