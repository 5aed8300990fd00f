import type { Document } from 'emberlink';
import { useAllDocs, useLedger, usePeers, useRoom } from 'emberlink/react';
import { createRoot } from 'react-dom/client';

interface Song extends Document {
  readonly title: string;
  readonly plays: number;
}

function Songs() {
  const { ledger, error } = useLedger('songs'); // Kept in this browser.
  const { rows } = useAllDocs<Song>(ledger, { prefix: 'song:' }); // Follows every change.
  const { room } = useRoom(ledger, {
    room: 'songs',
    secret: location.hash.slice(1), // Of the link that people share: …/#ember-…
    signaling: `ws://${location.host}/signaling`,
  });
  const peers = usePeers(room);

  if (error !== undefined) return <p>{error.message}</p>;
  if (ledger === undefined) return <p>Opening …</p>;
  return (
    <>
      <p>{peers.length + 1} here</p>
      {rows.map(({ id, doc }) => (
        <button key={id} onClick={() => ledger.put({ ...doc, plays: doc.plays + 1 })}>
          {doc.title}: {doc.plays}
        </button>
      ))}
      <button onClick={() => ledger.put({ _id: 'song:1', title: 'Wildfire', plays: 0 })}>
        New
      </button>
    </>
  );
}

createRoot(document.getElementById('root')!).render(<Songs />);
