/**
 * The initiator of one link after the other, in a process of its own. From the moment in which it is
 * connected it sends numbered frames, without a pause, until the other side closes the channel.
 */
import { WebRtcLink } from '../../../src/transports/webrtc.ts';
import type { Signal } from '../../../src/transports/signal.ts';
import { answerCalls } from '../../children/answer-calls.ts';
import { numberedFrame } from '../../suites/channel.suite.ts';

let link: WebRtcLink;

const methods = {
  offer(): Promise<Signal> {
    link = new WebRtcLink({ iceServers: [], initiator: true });
    return link.localSignal();
  },
  /** Resolves when the other side has closed the channel. */
  async stream(answer: Signal): Promise<void> {
    link.acceptSignal(answer);
    const channel = await link.connected;
    let open = true;
    channel.start({ frame: () => undefined, closed: () => (open = false) });
    for (let next = 0; open; next += 1) {
      channel.send(numberedFrame(next, 500));
      if (next % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
      await channel.drained();
    }
  },
  end: async (): Promise<void> => undefined,
};

export type StreamMethods = typeof methods;

answerCalls(methods);
