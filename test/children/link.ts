/** One side of a WebRTC link, in a process of its own, driven by messages; it tells its signals. */
import type { Link, LinkAttempt, LinkSignal } from '../../src/rooms/link.ts';
import { webRtcLinker } from '../../src/rooms/webrtc-linker.ts';
import { answerCalls } from './answer-calls.ts';

let attempt: LinkAttempt;
let link: Link;
let resolveEnd: (end: string) => void;
const ended = new Promise<string>((resolve) => (resolveEnd = resolve));
let end: string | undefined;
void ended.then((how) => (end = how));
let received = 0;
/** Each frame begins with its number, and each that comes must be the next. */
let gaps = 0;
let waiting: { count: number; resolve: () => void }[] = [];

const methods = {
  async open(initiator: boolean): Promise<void> {
    attempt = webRtcLinker()({
      initiator,
      iceServers: [],
      connectTimeoutMs: 30_000,
      tell: (signal) => process.send?.({ news: signal }),
    });
  },
  async hear(signal: LinkSignal): Promise<void> {
    attempt.hear(signal);
  },
  async connected(): Promise<void> {
    link = await attempt.connected;
    link.channel.start({
      frame: (frame) => {
        const bytes = frame as Uint8Array;
        if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== received) gaps += 1;
        received += 1;
        for (const { count, resolve } of waiting) if (received >= count) resolve();
        waiting = waiting.filter(({ count }) => received < count);
      },
      closed: (error) => resolveEnd(String(error ?? 'in order')),
    });
  },
  async send(first: number, count: number, bytes: number): Promise<void> {
    for (let number = first; number < first + count; number++) {
      const frame = new Uint8Array(bytes);
      new DataView(frame.buffer).setUint32(0, number);
      link.channel.send(frame);
    }
  },
  async received(count: number): Promise<void> {
    if (received >= count) return;
    await new Promise<void>((resolve) => waiting.push({ count, resolve }));
  },
  async report(): Promise<{ gaps: number; end: string | undefined; control: boolean }> {
    return { gaps, end, control: link.control.send(Uint8Array.of(1)) };
  },
  closed: (): Promise<string> => ended,
};

export type LinkMethods = typeof methods;

answerCalls(methods);
// WebRTC would keep it alive.
process.on('disconnect', () => process.exit());
