import { type ReactElement, useEffect, useState } from 'react';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  type Document,
  type Ledger,
  openLedger,
  type Room,
  type RoomPeer,
} from '../../src/index.ts';
import {
  type PresenceState,
  useDocument,
  useLedger,
  usePeers,
  usePresence,
  useRoom,
} from '../../src/react/index.ts';
import { MemorySignaling } from '../support/memory-signaling.ts';
import { mount } from './mount.tsx';

const SOON = { timeout: 15_000, interval: 5 };

async function memoryLedger(name: string): Promise<Ledger> {
  const ledger = await openLedger(name, { storage: 'memory' });
  onTestFinished(() => ledger.close());
  return ledger;
}

interface Song extends Document {
  readonly plays: number;
}

interface MemberProps {
  readonly name: string;
  readonly ledger: Ledger | undefined;
  readonly room?: string | undefined;
  readonly authorize?: (peer: { info: unknown }) => boolean;
}

it('brings two roots together in a room, with presence, until one is gone', async () => {
  const signaling = new MemorySignaling();
  const adapter = signaling.adapter();
  const seen = new Map<
    string,
    { peers: readonly RoomPeer[]; presence: PresenceState<{ at: string }> }[]
  >();
  function Member({ name, ledger }: MemberProps): ReactElement {
    const { state, room } = useRoom(ledger, {
      room: 'garden',
      secret: 'a long passphrase',
      signaling: [adapter],
      iceServers: [],
      info: { name },
    });
    const peers = usePeers(room);
    const presence = usePresence<{ at: string }>(room);
    const { set } = presence;
    useEffect(() => set({ at: name }), [set, name]);
    const { doc } = useDocument<Song>(ledger, 'song');
    seen.set(name, [...(seen.get(name) ?? []), { peers, presence }]);
    const names = peers.map(({ info }) => (info as { name: string }).name).join();
    const others = [...presence.others.values()].map(({ at }) => at).join();
    return <p>{`${state} [${names}] ${presence.own?.at} [${others}] ${doc?.plays}`}</p>;
  }
  const [alices, bobs] = [await memoryLedger('alice'), await memoryLedger('bob')];
  await alices.put({ _id: 'song', plays: 1 });
  const alice = mount(<Member name="Alice" ledger={undefined} />);
  expect(alice.text()).toBe('waiting [] undefined [] undefined');
  alice.render(<Member name="Alice" ledger={alices} />);
  await vi.waitFor(() => expect(alice.text()).toBe('alone [] Alice [] 1'), SOON);
  const bob = mount(<Member name="Bob" ledger={bobs} />);
  await vi.waitFor(() => expect(bob.text()).toBe('live [Alice] Bob [Alice] 1'), SOON);
  await vi.waitFor(() => expect(alice.text()).toBe('live [Bob] Alice [Bob] 1'), SOON);

  await bobs.put({ _id: 'song', plays: 2 });
  await vi.waitFor(() => expect(alice.text()).toBe('live [Bob] Alice [Bob] 2'), SOON);

  // What is the same is the same object: lists, peers, and the function too.
  const before = seen.get('Alice')!.at(-1)!;
  alice.render(<Member name="Alice" ledger={alices} />);
  const after = seen.get('Alice')!.at(-1)!;
  expect(after).not.toBe(before);
  expect(after.peers).toBe(before.peers);
  expect(after.presence).toBe(before.presence);

  bob.unmount();
  await vi.waitFor(() => expect(alice.text()).toBe('alone [] Alice [] 2'), SOON);
  await bobs.put({ _id: 'song', plays: 3 });
});

it('stays in one room for components that ask for the same, and goes to another one', async () => {
  const signaling = new MemorySignaling();
  const joins: string[] = [];
  const adapter = signaling.adapter('memory', (address) => joins.push(address));
  const rooms = new Set<Room>();
  function Member({ ledger, room: name }: MemberProps): ReactElement {
    const options = { room: name ?? '', signaling: adapter, authorize: () => true };
    const { state, room } = useRoom(ledger, name === undefined ? undefined : options);
    const [rendered, setRendered] = useState(0);
    useEffect(() => setRendered((before) => Math.min(before + 1, 20)), [rendered]);
    useEffect(() => {
      if (room !== undefined) rooms.add(room);
    }, [room]);
    return <b>{`${state} `}</b>;
  }
  const ledger = await memoryLedger('alice');
  const both = (room: string | undefined): ReactElement => (
    <>
      <Member name="" ledger={ledger} room={room} />
      <Member name="" ledger={ledger} room={room} />
    </>
  );
  const root = mount(both(undefined));
  expect(root.text()).toBe('waiting waiting ');
  root.render(both('garden'));
  await vi.waitFor(() => expect(root.text()).toBe('alone alone '), SOON);
  expect(rooms.size).toBe(1);
  expect(joins.length).toBe(1);

  root.render(both('orchard'));
  await vi.waitFor(() => expect(rooms.size).toBe(2), SOON);
  const [garden] = rooms;
  await vi.waitFor(() => expect(garden!.status.state).toBe('left'), SOON);
  await vi.waitFor(() => expect(root.text()).toBe('alone alone '), SOON);
  expect(joins.length).toBe(2);
});

it('shows what is wrong with the options instead of throwing it', async () => {
  const ledger = await memoryLedger('alice');
  function Member(): ReactElement {
    const { state, error } = useRoom(ledger, { room: '', signaling: 'ws://localhost:1' });
    return <p>{`${state}: ${error?.name}`}</p>;
  }
  const root = mount(<Member />);
  await vi.waitFor(() => expect(root.text()).toBe('failed: RoomError'), SOON);
});

it('asks the function that was rendered last whom to be linked with', async () => {
  const signaling = new MemorySignaling();
  const adapter = signaling.adapter();
  function Member({ name, ledger, authorize = () => true }: MemberProps): ReactElement {
    const { room } = useRoom(ledger, {
      room: 'garden',
      signaling: adapter,
      iceServers: [],
      info: { name },
      authorize,
    });
    const peers = usePeers(room);
    return <p>{peers.map(({ info, state }) => `${JSON.stringify(info)} ${state}`).join()}</p>;
  }
  const [alices, bobs] = [await memoryLedger('alice'), await memoryLedger('bob')];
  const alice = mount(<Member name="Alice" ledger={alices} authorize={() => true} />);
  alice.render(
    <Member
      name="Alice"
      ledger={alices}
      authorize={({ info }) => (info as { name: string }).name !== 'Bob'}
    />,
  );
  mount(<Member name="Bob" ledger={bobs} />);
  await vi.waitFor(() => expect(alice.text()).toBe('{"name":"Bob"} refused'), SOON);
});

it('leaves the room before it closes the ledger, so that what was written arrives', async () => {
  const signaling = new MemorySignaling();
  const adapter = signaling.adapter();
  let own: Ledger | undefined;
  let stay: Room | undefined;
  function App(): ReactElement {
    const { ledger } = useLedger('leaving', { storage: 'memory' });
    const { state, room } = useRoom(ledger, { room: 'garden', signaling: adapter, iceServers: [] });
    useEffect(() => {
      [own, stay] = [ledger ?? own, room ?? stay];
    }, [ledger, room]);
    return <p>{state}</p>;
  }
  function Other({ ledger }: { ledger: Ledger }): ReactElement {
    useRoom(ledger, { room: 'garden', signaling: adapter, iceServers: [] });
    return <p>{String(useDocument<Song>(ledger, 'last').doc?.plays)}</p>;
  }
  const bobs = await memoryLedger('bob');
  const other = mount(<Other ledger={bobs} />);
  const app = mount(<App />);
  await vi.waitFor(() => expect(app.text()).toBe('live'), SOON);
  const order: string[] = [];
  const [leave, close] = [stay!.leave.bind(stay), own!.close.bind(own)];
  stay!.leave = () => leave().then(() => void order.push('left'));
  own!.close = () => close().then(() => void order.push('closed'));
  const written = own!.put({ _id: 'last', plays: 1 });
  app.unmount();
  await written;
  await vi.waitFor(() => expect(other.text()).toBe('1'), SOON);
  await vi.waitFor(() => expect(() => own!.count()).toThrow(/is closed/), SOON);
  await vi.waitFor(() => expect(order).toEqual(['left', 'closed']), SOON);
});
