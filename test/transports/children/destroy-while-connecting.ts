/** Destroys two links at the moment named by the argument, and must then end by itself. */
import { WebRtcLink } from '../../../src/transports/webrtc.ts';

const moment = process.argv[2] ?? '';
const alice = new WebRtcLink({ iceServers: [], initiator: true });
const bob = new WebRtcLink({ iceServers: [], initiator: false });

function destroy(): void {
  alice.destroy();
  bob.destroy();
}

async function connect(): Promise<void> {
  if (moment === 'new') return destroy();
  const offer = await alice.localSignal();
  if (moment === 'offered') return destroy();
  bob.acceptSignal(offer);
  if (moment === 'accepting') return destroy();
  const answer = await bob.localSignal();
  if (moment === 'answered') return destroy();
  alice.acceptSignal(answer);
  if (moment === 'connecting') return destroy();
  if (moment === 'bob first') {
    bob.destroy();
    setTimeout(destroy, 5);
    return;
  }
  if (moment === 'connected') {
    await alice.connected;
    return destroy();
  }
  setTimeout(destroy, Number(moment));
}

await connect();
await Promise.allSettled([alice.connected, bob.connected]);
process.stdout.write('done');
