import { DataPort } from '../transports/data-port.ts';
import { Trickle } from '../transports/trickle.ts';
import { WebRtcLink, type WebRtcOptions } from '../transports/webrtc.ts';
import type { Linker } from './link.ts';

export type WebRtcLinkerOptions = Pick<
  WebRtcOptions,
  'wrtc' | 'PeerClass' | 'iceTransportPolicy' | 'maxFrameBytes'
>;

/** What is late is worth nothing: little of it may wait. */
const MAX_DATAGRAM_BUFFER_BYTES: number = 64 * 1024;
const MAX_CONTROL_BUFFER_BYTES: number = 4 * 1024 * 1024;

/** Links over WebRTC, whose signals trickle. */
export function webRtcLinker(linkerOptions: WebRtcLinkerOptions = {}): Linker {
  return (options) => {
    const { initiator, iceServers, connectTimeoutMs } = options;
    const trickle = new Trickle(options);
    const control = new DataPort({
      label: 'control',
      id: 102,
      reliable: true,
      maxBufferedBytes: MAX_CONTROL_BUFFER_BYTES,
    });
    const datagrams = new DataPort({
      label: 'datagrams',
      id: 100,
      reliable: false,
      maxBufferedBytes: MAX_DATAGRAM_BUFFER_BYTES,
    });
    const link = new WebRtcLink(
      {
        ...linkerOptions,
        initiator,
        connectTimeoutMs,
        ...(iceServers === undefined ? {} : { iceServers: [...iceServers] }),
      },
      { trickle, control, datagrams },
    );
    const connected = link.connected.then((channel) => ({ channel, control, datagrams }));
    // Whoever waits for it hears of a failure; whoever does not need not.
    connected.catch(() => undefined);
    return {
      connected,
      hear: (signal) => trickle.hear(signal),
      restart: () => trickle.restart(),
      destroy: (error) => link.destroy(error),
    };
  };
}
