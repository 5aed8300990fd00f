/** What each app does with the package: writes, reads, makes an offer, and shows what came of it. */
export async function tryOut({ openLedger, Sync }) {
  const ledger = await openLedger('page');
  await ledger.put({ _id: 'song', title: 'naïve', plays: 2n ** 60n, cover: Uint8Array.of(1, 2) });
  const { title, plays, cover } = await ledger.get('song');
  const sync = new Sync(ledger, { iceServers: [] });
  const offer = await sync.offer();
  sync.destroy();
  await ledger.close();
  return JSON.stringify({ title, plays: String(plays), cover: [...cover], offer });
}

export function show(text) {
  const output = document.createElement('output');
  output.textContent = text;
  document.body.append(output);
}
