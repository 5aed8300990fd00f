import {
  memo,
  type ReactElement,
  type ReactNode,
  startTransition,
  StrictMode,
  useEffect,
  useState,
} from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type Document, EmberlinkError, type Ledger, openLedger } from '../../src/index.ts';
import {
  type DocumentState,
  type LedgerState,
  type RowsState,
  useAllDocs,
  useDocument,
  useLedger,
  useLiveQuery,
} from '../../src/react/index.ts';
import { mount } from './mount.tsx';

interface Note extends Document {
  readonly n: number | string;
}

const MEMORY = { storage: 'memory' } as const;

/** Machines may have other things to do. */
const SOON = { timeout: 15_000, interval: 5 };

/** How far the clocks of given ledgers are ahead. */
let aheadMs: number;

beforeEach(() => {
  aheadMs = 0;
});

async function memoryLedger(...documents: Document[]): Promise<Ledger> {
  const ledger = await openLedger('given', { ...MEMORY, now: () => Date.now() + aheadMs });
  onTestFinished(() => ledger.close());
  await ledger.bulk(documents);
  return ledger;
}

// --- useLedger ---

it('opens one ledger for all components of its name, in strict mode too, and closes it after them', async () => {
  const seen = new Set<Ledger>();
  function User({ id }: { id: string }): ReactElement {
    const { state, ledger } = useLedger('shared', { storage: 'memory' });
    const { doc } = useDocument<Note>(ledger, 'a');
    useEffect(() => {
      if (ledger !== undefined) seen.add(ledger);
    }, [ledger]);
    return <p id={id}>{`${state} ${doc?.n}`}</p>;
  }
  const first = mount(<User id="first" />);
  expect(first.text()).toBe('opening undefined');
  await vi.waitFor(() => expect(first.text()).toBe('open undefined'), SOON);
  const second = mount(<User id="second" />);
  expect(second.text(), 'what is open is there at once').toBe('open undefined');

  const [ledger] = seen;
  await ledger!.put({ _id: 'a', n: 1 });
  await vi.waitFor(() => expect(first.text()).toBe('open 1'), SOON);
  expect(second.text()).toBe('open 1');
  expect(seen.size).toBe(1);

  first.unmount();
  first.render(<User id="again" />);
  await vi.waitFor(() => expect(first.text()).toBe('open 1'), SOON);
  expect(seen.size, 'mounted again at once it is the same one').toBe(1);

  first.unmount();
  second.unmount();
  await vi.waitFor(() => expect(() => ledger!.count()).toThrow(/is closed/), SOON);
  const third = mount(<User id="third" />);
  await vi.waitFor(() => expect(third.text()).toBe('open undefined'), SOON);
  expect(seen.size).toBe(2);
});

it('opens nothing anew for options that are written down anew, and the other one for others', async () => {
  const seen: LedgerState[] = [];
  const startMs = 5_000_000_000_000;
  function User({ cacheBytes }: { cacheBytes: number }): ReactElement {
    const [rendered, setRendered] = useState(0);
    const held = useLedger('options', {
      storage: 'memory',
      cacheBytes,
      now: () => startMs + rendered,
    });
    seen.push(held);
    useEffect(() => setRendered((before) => Math.min(before + 1, 20)), [rendered]);
    return <p>{`${held.state} ${rendered}`}</p>;
  }
  const root = mount(<User cacheBytes={1000} />);
  await vi.waitFor(() => expect(root.text()).toBe('open 20'), SOON);
  const ledgers = (): Set<Ledger> =>
    new Set(seen.flatMap(({ ledger }) => (ledger === undefined ? [] : [ledger])));
  expect(ledgers().size).toBe(1);

  const [first] = ledgers();
  // When this is rendered, so are the effects of what was rendered before.
  root.render(<User cacheBytes={1000} />);
  await first!.put({ _id: 'a' });
  const [written] = await first!.history('a');
  expect(written!.time, 'the function that was rendered last is the clock').toBe(startMs + 20);

  root.render(<User cacheBytes={2000} />);
  await vi.waitFor(() => expect(ledgers().size).toBe(2), SOON);
  await vi.waitFor(() => expect(() => first!.count()).toThrow(/is closed/), SOON);
});

it('opens a ledger with other options when it is closed, with what it has kept', async () => {
  const order: string[] = [];
  let last: Ledger | undefined;
  function User({ cacheBytes }: { cacheBytes: number }): ReactElement {
    const { state, ledger } = useLedger('kept', { storage: 'indexeddb', cacheBytes });
    const { doc } = useDocument<Note>(ledger, 'a');
    useEffect(() => {
      if (ledger !== undefined) order.push('opened');
      last = ledger;
    }, [ledger]);
    return <p>{`${state} ${doc?.n}`}</p>;
  }
  const root = mount(<User cacheBytes={1000} />, { strict: false });
  await vi.waitFor(() => expect(root.text()).toBe('open undefined'), SOON);
  await last!.put({ _id: 'a', n: 1 });
  const close = last!.close.bind(last);
  last!.close = () => close().then(() => void order.push('closed'));
  root.render(<User cacheBytes={2000} />);
  await vi.waitFor(() => expect(root.text()).toBe('open 1'), SOON);
  expect(order).toEqual(['opened', 'closed', 'opened']);
  await last!.destroy();
});

it('goes to the ledger of another name, and closes the one before', async () => {
  function User({ name }: { name: string }): ReactElement {
    const { state, ledger } = useLedger(name, MEMORY);
    return <p>{`${state} ${ledger?.name}`}</p>;
  }
  const root = mount(<User name="one" />);
  await vi.waitFor(() => expect(root.text()).toBe('open one'), SOON);
  root.render(<User name="two" />);
  expect(root.text(), 'never the other one under this name').toBe('opening undefined');
  await vi.waitFor(() => expect(root.text()).toBe('open two'), SOON);
});

it('shows why a ledger does not open, and tries again for who is mounted anew', async () => {
  const given = await memoryLedger({ _id: 'a' });
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of given.snapshot()) chunks.push(chunk.slice());
  let isThere = false;
  const fetched = vi
    .spyOn(globalThis, 'fetch')
    .mockImplementation(
      async () => new Response(new Blob(chunks), { status: isThere ? 200 : 404 }),
    );
  onTestFinished(() => fetched.mockRestore());
  function User(): ReactElement {
    const { state, error } = useLedger('failing', { ...MEMORY, snapshot: 'https://level.example' });
    return <p>{`${state} ${error instanceof EmberlinkError ? error.code : ''}`}</p>;
  }
  const root = mount(<User key="1" />);
  await vi.waitFor(() => expect(root.text()).toBe('failed no-snapshot'), SOON);
  isThere = true;
  root.render(<User key="2" />);
  await vi.waitFor(() => expect(root.text()).toBe('open '), SOON);
});

// --- useDocument ---

it('shows a document, its changes and its end, and renders for nothing else', async () => {
  const ledger = await memoryLedger({ _id: 'a', tags: ['x'] });
  const seen: DocumentState[] = [];
  function Reader({ id }: { id: string }): ReactElement {
    const found = useDocument<Note>(ledger, id);
    seen.push(found);
    return <p>{`${found.state} ${JSON.stringify(found.doc?.['tags'])}`}</p>;
  }
  const root = mount(<Reader id="a" />, { strict: false });
  expect(root.text()).toBe('loading undefined');
  await vi.waitFor(() => expect(root.text()).toBe('ready ["x"]'), SOON);
  expect(seen.length).toBe(2);

  await ledger.put({ _id: 'b' });
  await ledger.put({ _id: 'a', tags: ['x'] });
  const held = seen.at(-1);
  root.render(<Reader id="a" />);
  expect(seen.length).toBe(3);
  expect(seen.at(-1), 'the same object as before').toBe(held);

  await ledger.put({ _id: 'a', tags: ['y'] });
  await vi.waitFor(() => expect(root.text()).toBe('ready ["y"]'), SOON);
  await ledger.del('a');
  await vi.waitFor(() => expect(root.text()).toBe('ready undefined'), SOON);
  expect(seen.length).toBe(5);
});

it('shows nothing of one document under the id of another', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 1 }, { _id: 'b', n: 2 });
  const seen: string[] = [];
  function Reader({
    from,
    id,
  }: {
    from: Ledger | undefined;
    id: string | undefined;
  }): ReactElement {
    const { state, doc } = useDocument<Note>(from, id);
    const text = `${id} ${state} ${doc?._id} ${doc?.n}`;
    seen.push(text);
    return <p>{text}</p>;
  }
  const root = mount(<Reader from={undefined} id="a" />, { strict: false });
  expect(root.text()).toBe('a loading undefined undefined');
  root.render(<Reader from={ledger} id={undefined} />);
  root.render(<Reader from={ledger} id="a" />);
  await vi.waitFor(() => expect(root.text()).toBe('a ready a 1'), SOON);
  root.render(<Reader from={ledger} id="b" />);
  await vi.waitFor(() => expect(root.text()).toBe('b ready b 2'), SOON);

  const other = await memoryLedger({ _id: 'b', n: 3 });
  root.render(<Reader from={other} id="b" />);
  await vi.waitFor(() => expect(root.text()).toBe('b ready b 3'), SOON);
  await ledger.put({ _id: 'b', n: 4 });
  await other.put({ _id: 'b', n: 5 });
  await vi.waitFor(() => expect(root.text()).toBe('b ready b 5'), SOON);
  expect([...new Set(seen)]).toEqual([
    'a loading undefined undefined',
    'undefined loading undefined undefined',
    'a ready a 1',
    'b loading undefined undefined',
    'b ready b 2',
    'b ready b 3',
    'b ready b 5',
  ]);
});

it('never puts an older reading in the place of a newer one', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 0 });
  const read = ledger.get.bind(ledger);
  let delayMs = 60;
  const slow = vi.spyOn(ledger, 'get').mockImplementation(async (id) => {
    const doc = await read(id);
    // The first reading is the slowest.
    await new Promise((resolve) => setTimeout(resolve, (delayMs /= 2)));
    return doc;
  });
  const seen: unknown[] = [];
  function Reader(): ReactElement {
    const { doc } = useDocument<Note>(ledger, 'a');
    seen.push(doc?.n);
    return <p>{String(doc?.n)}</p>;
  }
  const root = mount(<Reader />, { strict: false });
  for (let n = 1; n <= 20; n++) await ledger.put({ _id: 'a', n });
  await vi.waitFor(() => expect(root.text()).toBe('20'), SOON);
  const shown = seen.filter((n) => n !== undefined) as number[];
  expect(shown).toEqual([...shown].sort((a, b) => a - b));
  expect(slow.mock.calls.length, 'what changes meanwhile is read at once').toBeLessThan(5);
});

it('tells of conflicts, also of those that change nothing of the document', async () => {
  const [here, there] = [await memoryLedger({ _id: 'a', n: 'one' }), await memoryLedger()];
  await there.import(here.export());
  const docs = new Set<unknown>();
  function Reader({ from }: { from: Ledger }): ReactElement {
    const { doc, conflicts } = useDocument<Note>(from, 'a');
    docs.add(doc);
    const values = conflicts.flatMap(({ versions }) =>
      versions.map(({ value }) => value as string),
    );
    return <p>{`${doc?.n}: ${values.join()}`}</p>;
  }
  await there.put({ _id: 'a', n: 'earlier' });
  aheadMs = 1000;
  await here.put({ _id: 'a', n: 'later' });
  const root = mount(<Reader from={here} />, { strict: false });
  await vi.waitFor(() => expect(root.text()).toBe('later: '), SOON);
  await here.import(there.export());
  await vi.waitFor(() => expect(root.text()).toBe('later: later,earlier'), SOON);
  expect(docs.size, 'nothing, and the one document').toBe(2);
  await here.put({ _id: 'a', n: 'later' }, { resolve: true });
  await vi.waitFor(() => expect(root.text()).toBe('later: '), SOON);
});

it('shows the error of a closed ledger', async () => {
  const ledger = await memoryLedger();
  await ledger.close();
  function Reader(): ReactElement {
    const { state, error } = useDocument<Note>(ledger, 'a');
    const rows = useAllDocs(ledger);
    return <p>{`${state}: ${error?.message}; ${rows.state}`}</p>;
  }
  const root = mount(<Reader />);
  await vi.waitFor(
    () => expect(root.text()).toBe("failed: ledger 'given' is closed; failed"),
    SOON,
  );
});

// --- rows ---

it('keeps rows that did not change, so that only the others render', async () => {
  const ledger = await memoryLedger(
    ...Array.from({ length: 50 }, (_, i) => ({ _id: `note:${10 + i}`, n: i, in: { list: [i] } })),
  );
  const read = vi.spyOn(ledger, 'allDocs');
  const rendered: string[] = [];
  const lists: RowsState<unknown>['rows'][] = [];
  const Row = memo(({ doc }: { doc: Note }): ReactElement => {
    rendered.push(doc._id);
    return <li>{`${doc._id}=${doc.n}`}</li>;
  });
  function List(): ReactElement {
    const { rows } = useAllDocs<Note>(ledger, { prefix: 'note:' });
    lists.push(rows);
    return (
      <ul>
        {rows.map(({ id, doc }) => (
          <Row key={id} doc={doc} />
        ))}
      </ul>
    );
  }
  const root = mount(<List />, { strict: false });
  await vi.waitFor(() => expect(root.text()).toContain('note:59=49'), SOON);
  expect(lists.map((rows) => rows.length)).toEqual([0, 50]);
  rendered.length = 0;

  await ledger.put({ _id: 'other', n: 1 });
  await ledger.put({ _id: 'note:20', n: 'new', in: { list: [10] } });
  await vi.waitFor(() => expect(root.text()).toContain('note:20=new'), SOON);
  await ledger.del('note:30');
  await vi.waitFor(() => expect(root.text()).not.toContain('note:30'), SOON);
  expect(rendered).toEqual(['note:20']);
  expect(read, 'at first, and after each change of a note').toHaveBeenCalledTimes(3);
  expect(lists.length).toBe(4);
});

it('shows the rows of a range, a list of ids and a limit, and their changes', async () => {
  const ledger = await memoryLedger(...['a', 'b', 'c', 'd'].map((_id) => ({ _id })));
  function List(): ReactElement {
    const range = useAllDocs(ledger, { range: ['b', 'c'] });
    const keys = useAllDocs(ledger, { keys: ['d', 'e'] });
    const last = useAllDocs(ledger, { descending: true, limit: 1 });
    const bad = useAllDocs(ledger, { limit: -1 });
    const idsOf = ({ rows }: RowsState<{ id: string }>): string =>
      rows.map(({ id }) => id).join('');
    return <p>{`${idsOf(range)} ${idsOf(keys)} ${idsOf(last)} ${bad.state}`}</p>;
  }
  const root = mount(<List />);
  await vi.waitFor(() => expect(root.text()).toBe('bc d d failed'), SOON);
  await ledger.bulk([{ _id: 'e' }, { _id: 'bb' }]);
  await vi.waitFor(() => expect(root.text()).toBe('bbbc de e failed'), SOON);
});

it('queries by a field and by a map function that is written down anew each time', async () => {
  const ledger = await memoryLedger(
    { _id: '1', title: 'Fire', tags: ['warm', 'red'] },
    { _id: '2', title: 'Frost', tags: ['cold'] },
  );
  const queried = vi.spyOn(ledger, 'query');
  function List({ tag, length }: { tag: string; length: number }): ReactElement {
    const titles = useLiveQuery<Document & { title: string }>(ledger, 'title', { prefix: 'F' });
    const tagged = useLiveQuery(
      ledger,
      (doc, emit) => {
        for (const each of (doc['tags'] ?? []) as string[]) emit(each.slice(0, length));
      },
      { key: tag, deps: [length] },
    );
    return (
      <p>
        {titles.rows.map(({ doc }) => doc?.title).join()} {tagged.rows.map(({ id }) => id).join()}
      </p>
    );
  }
  const root = mount(<List tag="red" length={9} />);
  await vi.waitFor(() => expect(root.text()).toBe('Fire,Frost 1'), SOON);
  await ledger.put({ _id: '2', title: 'Foam', tags: ['red'] });
  await vi.waitFor(() => expect(root.text()).toBe('Fire,Foam 1,2'), SOON);
  root.render(<List tag="warm" length={9} />);
  await vi.waitFor(() => expect(root.text()).toBe('Fire,Foam 1'), SOON);
  const maps = (): number =>
    new Set(queried.mock.calls.map(([by]) => by).filter((by) => typeof by === 'function')).size;
  expect(maps(), 'one index, however often it is rendered').toBe(1);
  root.render(<List tag="r" length={1} />);
  await vi.waitFor(() => expect(root.text()).toBe('Fire,Foam 1,2'), SOON);
  expect(maps(), 'and one for other values').toBe(2);
});

it('goes on with the last rows when a map function throws, and anew with the next change', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 1 });
  const byN = ({ n }: Document): number => {
    if (n === 0) throw new RangeError('no zeros');
    return n as number;
  };
  function List(): ReactElement {
    const { state, rows, error } = useLiveQuery(ledger, byN);
    return <p>{`${state} ${rows.map(({ key }) => key as number).join()} ${error?.message}`}</p>;
  }
  const root = mount(<List />);
  await vi.waitFor(() => expect(root.text()).toBe('ready 1 undefined'), SOON);
  await ledger.put({ _id: 'a', n: 0 });
  await vi.waitFor(() => expect(root.text()).toBe('failed 1 no zeros'), SOON);
  await ledger.put({ _id: 'a', n: 2 });
  await vi.waitFor(() => expect(root.text()).toBe('ready 2 undefined'), SOON);
});

it('reads once for many components and many writes of one moment', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 0 });
  const queried = vi.spyOn(ledger, 'query');
  const watched = vi.spyOn(ledger, 'subscribe');
  function Count(): ReactElement {
    const { rows } = useLiveQuery(ledger, 'n', { range: [0, 1000] });
    return <b>{rows.length}</b>;
  }
  const root = mount(Array.from({ length: 30 }, (_, i) => <Count key={i} />));
  await vi.waitFor(() => expect(root.text()).toBe('1'.repeat(30)), SOON);
  expect(queried).toHaveBeenCalledTimes(1);
  expect(watched).toHaveBeenCalledTimes(1);
  await Promise.all(Array.from({ length: 40 }, (_, n) => ledger.put({ _id: `b${n}`, n })));
  await vi.waitFor(() => expect(root.text()).toBe('41'.repeat(30)), SOON);
  expect(queried.mock.calls.length).toBeLessThan(5);
});

// --- together ---

it('never shows two values of one document at once, whatever is rendered meanwhile', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 0 });
  function Reader({ page }: { page: number }): ReactElement {
    const { doc } = useDocument<Note>(ledger, 'a');
    // Slow enough for React to give others a turn in the midst of a transition.
    const end = performance.now() + 0.5;
    while (performance.now() < end);
    return <b data-page={page}>{`${doc?.n} `}</b>;
  }
  function Page(): ReactElement {
    const [page, setPage] = useState(0);
    useEffect(() => {
      turn = () => startTransition(() => setPage((before) => before + 1));
    }, []);
    return (
      <>
        {Array.from({ length: 60 }, (_, i) => (
          <Reader key={`${page % 2} ${i}`} page={page} />
        ))}
      </>
    );
  }
  let turn = (): void => {};
  const root = mount(<Page />, { strict: false });
  await vi.waitFor(() => expect(root.text()).toBe('0 '.repeat(60)), SOON);

  const shown = new Set<string>();
  const observer = new MutationObserver(() => {
    shown.add([...new Set(root.text().trim().split(' '))].join(' and '));
  });
  onTestFinished(() => observer.disconnect());
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  for (let n = 1; n <= 20; n++) {
    turn();
    await new Promise((resolve) => setTimeout(resolve, 10));
    await ledger.put({ _id: 'a', n });
  }
  await vi.waitFor(() => expect(root.text()).toBe('20 '.repeat(60)), SOON);
  expect([...shown].filter((values) => !/^\d+$/.test(values))).toEqual([]);
  expect(shown.size).toBeGreaterThan(2);
});

it('takes over what a server has rendered, without a warning, and then shows what is there', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 1 });
  function App(): ReactNode {
    const { state } = useLedger('hydrated', MEMORY);
    const { state: found, doc } = useDocument<Note>(ledger, 'a');
    const { rows } = useAllDocs(ledger);
    return <p>{`${state} ${found} ${doc?.n} ${rows.length}`}</p>;
  }
  // Another part of the page has it open and read already.
  const other = mount(<App />);
  await vi.waitFor(() => expect(other.text()).toBe('open ready 1 1'), SOON);

  const app = (
    <StrictMode>
      <App />
    </StrictMode>
  );
  const container = document.createElement('div');
  container.innerHTML = renderToString(app);
  expect(container.textContent).toBe('opening loading undefined 0');
  const recovered = vi.fn();
  const root = hydrateRoot(container, app, { onRecoverableError: recovered });
  onTestFinished(() => root.unmount());
  await vi.waitFor(() => expect(container.textContent).toBe('open ready 1 1'), SOON);
  expect(recovered).not.toHaveBeenCalled();
});

it('shows one ledger in two roots', async () => {
  const ledger = await memoryLedger({ _id: 'a', n: 1 });
  function Reader(): ReactElement {
    return <p>{String(useDocument<Note>(ledger, 'a').doc?.n)}</p>;
  }
  const roots = [mount(<Reader />), mount(<Reader />)];
  await ledger.put({ _id: 'a', n: 2 });
  for (const root of roots) await vi.waitFor(() => expect(root.text()).toBe('2'), SOON);
});
