/**
 * What each app does with the package: writes, reads, meets another member in a room, makes an offer,
 * and shows what came of it.
 */
export async function tryOut({ openLedger, Sync, joinRoom }) {
  const ledger = await openLedger('page');
  await ledger.put({ _id: 'song', title: 'naïve', plays: 2n ** 60n, cover: Uint8Array.of(1, 2) });
  const { title, plays, cover } = await ledger.get('song');
  const atOnce = countScripts();
  const met = await meet(ledger, { openLedger, joinRoom });
  const later = countScripts() - atOnce;
  const sync = new Sync(ledger, { iceServers: [] });
  const offer = await sync.offer();
  sync.destroy();
  await ledger.close();
  return JSON.stringify({ title, plays: String(plays), cover: [...cover], met, later, offer });
}

/** Gives what somebody gets who is in a room with this ledger. */
async function meet(ledger, { openLedger, joinRoom }) {
  const signaling = new URLSearchParams(location.search).get('signaling');
  const other = await openLedger('other', { storage: 'memory' });
  const arrived = new Promise((resolve) => other.subscribe(resolve));
  const rooms = [ledger, other].map((each) =>
    joinRoom(each, { room: 'garden', signaling, iceServers: [] }),
  );
  await arrived;
  const { title } = await other.get('song');
  for (const room of rooms) await room.leave();
  await other.close();
  return title;
}

/** How many files of programs this page has loaded. */
function countScripts() {
  const names = performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
  return new Set(names.filter((name) => name.endsWith('.js'))).size;
}

export function show(text) {
  const output = document.createElement('output');
  output.textContent = text;
  document.body.append(output);
}
