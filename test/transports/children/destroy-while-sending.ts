/**
 * Links on which one side is destroyed while both send, again and again: as many as the argument
 * says. Must end by itself.
 */
import { WebRtcLink } from '../../../src/transports/webrtc.ts';

const rounds = Number(process.argv[2]);
for (let round = 0; round < rounds; round++) {
  const alice = new WebRtcLink({ iceServers: [], initiator: true });
  const bob = new WebRtcLink({ iceServers: [], initiator: false });
  bob.acceptSignal(await alice.localSignal());
  alice.acceptSignal(await bob.localSignal());
  const channels = await Promise.all([alice.connected, bob.connected]);
  const ended = channels.map((channel, side) => {
    const frame = new Uint8Array(side === 0 ? 16_384 : 59);
    let open = true;
    const done = new Promise<void>((resolve) => {
      channel.start({
        // The side that receives much answers each frame by a small one.
        frame: () => {
          if (open && side === 1) channel.send(frame);
        },
        closed: () => {
          open = false;
          resolve();
        },
      });
    });
    const flood = async (): Promise<void> => {
      while (open) {
        for (let i = 0; open && i < 4; i++) channel.send(frame);
        await channel.drained();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    if (side === 0) flood().catch(() => undefined);
    return done;
  });
  await new Promise((resolve) => setTimeout(resolve, 20 + (round % 10)));
  channels[round % 2]!.destroy();
  await Promise.all(ended);
}
process.stdout.write('done');
