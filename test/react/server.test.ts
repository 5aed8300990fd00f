import { createElement, type ReactElement, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  useAllDocs,
  useDocument,
  useLedger,
  useLiveQuery,
  usePeers,
  usePresence,
  useRoom,
} from '../../src/react/index.ts';
import { memoryLedger } from '../ledger/support.ts';

function Everything(): ReactElement {
  const { state, ledger } = useLedger('server', { storage: 'memory' });
  const { state: found, doc } = useDocument(ledger, 'a');
  const { state: rows } = useLiveQuery(ledger, ({ title }) => title);
  const { state: docs } = useAllDocs(ledger, { prefix: 'a' });
  const room = useRoom(ledger, { room: 'garden', signaling: 'ws://localhost:1' });
  const peers = usePeers(room.room);
  const { own, others } = usePresence(room.room);
  const seen = [state, found, doc, rows, docs, room.state, peers.length, own, others.size];
  return createElement('p', null, seen.map(String).join(' '));
}

function Reader({ ledger }: { ledger: Awaited<ReturnType<typeof memoryLedger>> }): ReactElement {
  const { state } = useDocument(ledger, 'a');
  const { room } = useRoom(ledger, { room: 'garden', signaling: 'ws://localhost:1' });
  return createElement('p', null, state, room === undefined ? ' no room' : ' a room');
}

it('renders on a server as what is still to come, and begins nothing there', async () => {
  const errors = vi.spyOn(console, 'error');
  onTestFinished(() => errors.mockRestore());
  const ledger = await memoryLedger('given');
  await ledger.put({ _id: 'a' });
  const watched = vi.spyOn(ledger, 'subscribe');

  const html = renderToString(createElement(StrictMode, null, createElement(Everything)));
  expect(html).toBe('<p>opening loading undefined loading loading waiting 0 undefined 0</p>');
  const reader = renderToString(createElement(Reader, { ledger }));
  expect(reader).toBe('<p>loading<!-- --> no room</p>');

  expect(watched).not.toHaveBeenCalled();
  expect(errors).not.toHaveBeenCalled();
});
