import { joinRoom, openLedger } from 'emberlink';
import { mountInspector } from 'emberlink/inspector';

const ledger = await openLedger('songs');
const room = joinRoom(ledger, {
  room: 'songs',
  secret: location.hash.slice(1), // Of the link that people share: …/#ember-…
  signaling: `ws://${location.host}/signaling`,
});
const inspector = mountInspector(document.body, { ledger, room, readonly: true });
inspector.setAttribute('theme', 'dark'); // Without it: what the reader's system asks for.

await ledger.put({ _id: 'song:1', title: 'Wildfire' }); // A dot in the clock, blocks that fly, a line in the log.
