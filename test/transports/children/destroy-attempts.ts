/** Destroys both attempts of a room's link after so many milliseconds, and must then end by itself. */
import { webRtcLinker } from '../../../src/rooms/webrtc-linker.ts';
import { Random } from '../../support/random.ts';
import { openAttempts } from '../../support/signal-path.ts';

const { alice, bob } = openAttempts(webRtcLinker(), new Random(1));
await new Promise((resolve) => setTimeout(resolve, Number(process.argv[2])));
alice.destroy();
bob.destroy();
await Promise.allSettled([alice.connected, bob.connected]);
process.stdout.write('done');
