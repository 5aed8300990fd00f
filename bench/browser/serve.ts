import { documentAt, documents } from '../documents.ts';
import type { BrowserStore, Introduction } from './store.ts';

/** Offers a library to the bench. */
export function serve(open: (name: string) => Promise<BrowserStore>): void {
  let store: BrowserStore;
  const texts: string[] = [];
  let waiting: ((text: string) => void) | undefined;
  globalThis.takeText = (text) => {
    if (waiting === undefined) texts.push(text);
    else waiting(text);
    waiting = undefined;
  };
  const receiveText: Introduction['receive'] = () =>
    new Promise((resolve) => {
      const text = texts.shift();
      if (text === undefined) waiting = resolve;
      else resolve(text);
    });
  let connectedMs = NaN;

  globalThis.bench = {
    async open(name) {
      store = await open(name);
    },
    async putOneByOne(from, to) {
      const all = [...documents(from, to)];
      const start = performance.now();
      for (const document of all) await store.put(document);
      return perSecond(to - from, start);
    },
    async putTogether(from, to) {
      const all = [...documents(from, to)];
      const start = performance.now();
      await store.putAll(all);
      return perSecond(to - from, start);
    },
    async reopen(name, n) {
      const start = performance.now();
      store = await open(name);
      const first = await store.get(documentAt(0)._id);
      const ms = performance.now() - start;
      await expectDocuments(store, n);
      if (first?.title !== documentAt(0).title)
        throw new Error('another document than was written');
      return ms;
    },
    async connect(role, signalingUrl) {
      const send = (text: string): void => globalThis.sendText!(text);
      await store.connect({ role, signalingUrl, send, receive: receiveText });
      connectedMs = performance.now();
    },
    async receive(n) {
      await store.received(n);
      await store.stored();
      const ms = performance.now() - connectedMs;
      await expectDocuments(store, n);
      return ms;
    },
    close: () => store.close(),
  };
}

async function expectDocuments(store: BrowserStore, n: number): Promise<void> {
  const count = await store.count();
  if (count !== n) throw new Error(`${count} documents, not ${n}`);
  const last = documentAt(n - 1);
  const found = await store.get(last._id);
  if (found?.body !== last.body) throw new Error(`document ${last._id} is not what was written`);
}

function perSecond(count: number, startMs: number): number {
  return (count / (performance.now() - startMs)) * 1000;
}
