/**
 * Links of rooms on which one side is destroyed while both send on the channel and on both ports,
 * again and again: as many as the argument says. Must end by itself.
 */
import type { Link } from '../../../src/rooms/link.ts';
import { webRtcLinker } from '../../../src/rooms/webrtc-linker.ts';
import { Random } from '../../support/random.ts';
import { openAttempts } from '../../support/signal-path.ts';

async function sendUntilItEnds({ channel, control, datagrams }: Link): Promise<void> {
  let open = true;
  channel.start({ frame: () => undefined, closed: () => (open = false) });
  while (open) {
    for (let i = 0; open && i < 4; i++) {
      if (!channel.congested) channel.send(new Uint8Array(1000));
      control.send(new Uint8Array(100));
      datagrams?.send(new Uint8Array(100));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const random = new Random(1);
for (let round = 0; round < Number(process.argv[2]); round++) {
  const { alice, bob } = openAttempts(webRtcLinker(), random);
  const links = await Promise.all([alice.connected, bob.connected]);
  const ended = links.map(sendUntilItEnds);
  await new Promise((resolve) => setTimeout(resolve, 20 + (round % 10)));
  (round % 2 === 0 ? alice : bob).destroy();
  await Promise.all(ended);
}
process.stdout.write('done');
