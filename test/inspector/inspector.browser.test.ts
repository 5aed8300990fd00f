import { expect, it, onTestFinished, vi } from 'vitest';
import { type Ledger, openLedger, type Room, Sync } from '../../src/index.ts';
import { type InspectorElement, mountInspector } from '../../src/inspector/index.ts';
import { Trace } from '../../src/protocol/trace.ts';
import { faintTexts } from '../browser/support/faint-texts.ts';
import { type Member, Party } from '../rooms/support.ts';

const SOON = { timeout: 15_000, interval: 20 };

function newParty(): Party {
  const party = new Party({ maxDelayMs: 5 });
  onTestFinished(() => party.end());
  return party;
}

async function memoryLedger(name: string): Promise<Ledger> {
  const ledger = await openLedger(name, { storage: 'memory' });
  onTestFinished(() => ledger.close());
  return ledger;
}

/** What the inspector of a page shows. */
class Shown {
  readonly element: InspectorElement;

  constructor(ledger: Ledger, room?: Room, more: { readonly?: boolean; theme?: string } = {}) {
    this.element = mountInspector(document.body, {
      ledger,
      room,
      readonly: more.readonly ?? false,
    });
    if (more.theme !== undefined) this.element.setAttribute('theme', more.theme);
    onTestFinished(() => this.element.remove());
  }

  get root(): ShadowRoot {
    return this.element.shadowRoot!;
  }

  one<T extends Element = HTMLElement>(selector: string): T {
    const found = this.root.querySelector<T>(selector);
    if (found === null) throw new Error(`the inspector has no ${selector}`);
    return found;
  }

  all(selector: string): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>(selector)];
  }

  text(selector: string): string {
    return this.one(selector).textContent.replaceAll(/\s+/g, ' ').trim();
  }

  async says(selector: string, text: string | RegExp): Promise<void> {
    await vi.waitFor(() => expect(this.text(selector)).toMatch(text), SOON);
  }

  button(name: string): HTMLButtonElement {
    const found = this.all('button').find(
      (button) => (button.getAttribute('aria-label') ?? button.textContent) === name,
    );
    if (found === undefined) throw new Error(`the inspector has no button ${name}`);
    return found as HTMLButtonElement;
  }

  press(selector: string, key: string): void {
    this.one(selector).dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  }
}

/** Two in a room, who have each written something else into one field of a document. */
async function quarrel(party: Party): Promise<{ alice: Member; bob: Member }> {
  const ledgers = await Promise.all(
    ['alice', 'bob'].map((name) => openLedger(name, { storage: 'memory' })),
  );
  await ledgers[0]!.put({ _id: 'plan', place: 'the lake', day: 'Friday' });
  await ledgers[1]!.put({ _id: 'plan', place: 'the hill', day: 'Friday' });
  await ledgers[1]!.put({ _id: 'song', title: 'Wildfire' });
  const [alice, bob] = ledgers.map((ledger) =>
    party.enter(ledger, { info: { name: ledger.name === 'bob' ? 'Bob' : 'Alice' } }),
  );
  return { alice: alice!, bob: bob! };
}

it('shows who is there, by the names that they give themselves', async () => {
  const party = newParty();
  const { ledger, room } = await party.join('alice', { info: { name: 'Alice' } });
  const shown = new Shown(ledger, room);
  await shown.says('.peers', /Nobody else is here/);
  await party.join('bob', { info: { name: 'Bob' }, access: 'read' });
  await shown.says('.peers tbody tr', /^Bob ?live, reads/);
  const carol = await party.join('carol', { info: 'Carol' });
  await carol.ledger.put({ _id: 'song' });
  await shown.says('.peers tbody', /Carol ?live/);
  await shown.says('.storage', /Documents ?1 ?Commits ?1 ?Stored ?\d+ B ?Heads ?1/);
  shown.press('.clock canvas', 'End');
  await shown.says('.clock .details', /Writer ?Carol/);
  await party.leave(carol);
  await vi.waitFor(() => expect(shown.all('.peers tbody tr').length).toBe(1), SOON);
  await shown.says('.log', /Carol ?left/);
});

it('shows the difference of two ledgers as sets, and how it was found out', async () => {
  const party = newParty();
  const ledger = await openLedger('alice', { storage: 'memory' });
  for (let n = 0; n < 3; n++) await ledger.put({ _id: `a:${n}` });
  const others = await openLedger('bob', { storage: 'memory' });
  for (let n = 0; n < 2; n++) await others.put({ _id: `b:${n}` });
  const { room } = party.enter(ledger);
  const shown = new Shown(ledger, room);
  party.enter(others, { info: 'Bob' });
  await shown.says('.difference', /3 blocks only here: all sent/);
  await shown.says('.difference', /2 blocks only at Bob: all came/);
  expect(shown.text('.difference h3')).toMatch(/^With Bob, /);
  expect(shown.text('.difference')).toMatch(/Found out by .*: [\d.]+ k?B in \d+ messages, /);
  expect(shown.all('.difference .count').map((count) => count.textContent)).toEqual([
    '3',
    '0',
    '2',
  ]);

  shown.one<HTMLDetailsElement>('.difference details.mine').open = true;
  await ledger.put({ _id: 'later' });
  await vi.waitFor(() => expect(shown.all('.difference details.mine li').length).toBe(3), SOON);
  await shown.says('.flight p', /^2 blocks received, 4 blocks sent, 0 of them/);
  await shown.says('.peers tbody td:nth-of-type(2)', /B\/s ?[\d.]+ k?B in \d+/);
});

it('leads through the clock by keyboard, and says what a commit is', async () => {
  const ledger = await memoryLedger('alice');
  await ledger.put({ _id: 'song', title: 'Fire' });
  const [first] = ledger.clock;
  await ledger.patch({ _id: 'song', plays: 1 });
  const shown = new Shown(ledger);
  await shown.says('.clock .tools', /^2 commits, 1 head/);
  shown.press('.clock canvas', 'End');
  await shown.says('.clock .details', /head of the clock/);
  expect(shown.text('.clock .details')).toContain(String(ledger.clock[0]));
  expect(shown.text('.clock .details')).toContain('song plays');
  shown.press('.clock canvas', 'ArrowLeft');
  await shown.says('.clock .details', String(first));
  expect(shown.text('.clock .details')).toMatch(/Writerme/);
  expect(shown.text('.clock .details')).toContain('song title');
  shown.press('.clock canvas', 'ArrowRight');
  await shown.says('.clock .details', String(ledger.clock[0]));

  // Growing goes on.
  await ledger.del('song');
  await shown.says('.clock .tools', /^3 commits/);
  shown.press('.clock canvas', 'End');
  await shown.says('.clock .details', /song deleted/);
});

it('draws commits where they lie, and finds them by pointer', async () => {
  const ledger = await memoryLedger('alice');
  for (let n = 0; n < 40; n++) await ledger.put({ _id: 'song', n });
  const shown = new Shown(ledger);
  await shown.says('.clock .tools', /^40 commits/);
  const canvas = shown.one<HTMLCanvasElement>('.clock canvas');
  const inked = (): number => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height);
    return data.filter((value, place) => place % 4 === 3 && value > 0).length;
  };
  await vi.waitFor(() => expect(inked()).toBeGreaterThan(500), SOON);
  const { right, top } = canvas.getBoundingClientRect();
  const at = { clientX: right - 22, clientY: top + 28, bubbles: true };
  canvas.dispatchEvent(new PointerEvent('pointermove', at));
  await shown.says('.clock .details', String(ledger.clock[0]));
  canvas.dispatchEvent(new PointerEvent('pointerleave', at));
  await vi.waitFor(() => expect(shown.one('.clock .details').hidden).toBe(true), SOON);
});

it('explains a conflict, and settles it with the value that one chooses', async () => {
  const party = newParty();
  const { alice, bob } = await quarrel(party);
  const shown = new Shown(alice.ledger, alice.room);
  await shown.says('.conflict', /1 document with values that were written apart/);
  const [conflict] = await alice.ledger.conflicts('plan');
  const [winner, loser] = conflict!.versions as readonly { time: number; value: string }[];
  await vi.waitFor(() => expect(shown.all('.conflict tbody tr').length).toBe(2), SOON);
  const rows = shown.all('.conflict tbody tr').map((row) => row.textContent);
  expect(rows[0]).toContain(`"${winner!.value}" shown`);
  expect(rows[1]).toContain(`"${loser!.value}"`);
  const writer = (value: unknown): string => (value === 'the lake' ? 'me' : 'Bob');
  await vi.waitFor(() => {
    const writers = shown.all('.conflict tbody td:nth-child(3)').map((cell) => cell.textContent);
    expect(writers).toEqual([writer(winner!.value), writer(loser!.value)]);
  }, SOON);
  expect(shown.text('.conflict article p')).toMatch(
    winner!.time > loser!.time ? /later one by hybrid time/ : /same millisecond/,
  );

  shown.all('.conflict input')[1]!.click();
  shown.button('Settle plan place with the chosen value').click();
  await shown.says('.conflict', /None: /);
  const settled = { _id: 'plan', day: 'Friday', place: loser!.value };
  expect(await alice.ledger.get('plan')).toEqual(settled);
  await vi.waitFor(async () => expect(await bob.ledger.get('plan')).toEqual(settled), SOON);
  expect(await bob.ledger.conflicts('plan')).toEqual([]);
  await shown.says('[role=status]', 'No conflicts left');
});

it('has no button that writes where it may only look', async () => {
  const party = newParty();
  const { alice } = await quarrel(party);
  const shown = new Shown(alice.ledger, alice.room, { readonly: true });
  await vi.waitFor(() => expect(shown.all('.conflict tbody tr').length).toBe(2), SOON);
  expect(shown.all('.conflict button, .conflict input')).toEqual([]);
  shown.element.readonly = false;
  await vi.waitFor(() => expect(shown.all('.conflict button').length).toBe(1), SOON);
});

it('keeps a log that can be searched, paused and saved', async () => {
  const ledger = await memoryLedger('alice');
  const shown = new Shown(ledger);
  for (let n = 0; n < 5; n++) await ledger.put({ _id: `song:${n}` });
  const lines = (): string[] => shown.all('.log tbody .what').map((cell) => cell.textContent);
  const written = (n: number): string => `1 document: song:${n}`;
  await vi.waitFor(() => expect(lines()).toEqual([4, 3, 2, 1, 0].map(written)), SOON);

  const search = shown.one<HTMLInputElement>('.log input[type=search]');
  search.value = 'SONG:3';
  search.dispatchEvent(new Event('input'));
  await vi.waitFor(() => expect(lines()).toEqual([written(3)]), SOON);
  search.value = '';
  search.dispatchEvent(new Event('input'));

  shown.button('Pause').click();
  await ledger.put({ _id: 'song:5' });
  await shown.says('.log', /1 since the pause/);
  expect(lines()).toEqual([4, 3, 2, 1, 0].map(written));
  shown.button('Pause').click();
  await vi.waitFor(() => expect(lines()[0]).toBe(written(5)), SOON);
  shown.all('.log .chip input')[0]!.click();
  await vi.waitFor(() => expect(lines()).toEqual([]), SOON);

  const save = shown.one<HTMLAnchorElement>('.log a');
  // The file is what the test wants, not its place on the disk.
  shown.element.addEventListener('click', (event) => event.preventDefault());
  save.click();
  expect(save.download).toBe('alice-events.jsonl');
  const saved = (await (await fetch(save.href)).text()).trimEnd().split('\n');
  const events = saved.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.map(({ number, kind, ids }) => [number, kind, ids])).toEqual(
    Array.from({ length: 6 }, (_, n) => [n + 1, 'write', [`song:${n}`]]),
  );
});

it('shows a connection by real WebRTC, without a room', async () => {
  const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
  await bob.put({ _id: 'song', title: 'Wildfire' });
  const shown = new Shown(alice);
  await shown.says('.peers', /Nobody else is here/);
  const [fromAlice, fromBob] = [alice, bob].map((ledger) => new Sync(ledger, { iceServers: [] }));
  onTestFinished(() => fromAlice!.close());
  fromAlice!.connect(await fromBob!.accept(await fromAlice!.offer()));
  await fromAlice!.backlog();
  await shown.says('.peers tbody tr', /^link \d+ ?linked/);
  await shown.says('.difference', /1 block only at link \d+: all came/);
  await shown.says('.flight p', /^1 block received/);
  await shown.says('.log', /blocks ?link \d+ ?1 block in/);
  await fromAlice!.close();
  await shown.says('.peers', /Nobody else is here/);
});

it('follows a room that comes and goes, as when one unplugs', async () => {
  const party = newParty();
  const alice = await party.join('alice');
  const shown = new Shown(alice.ledger, alice.room);
  await shown.says('header', /alone, 0 peers/);
  shown.element.room = undefined;
  await party.leave(alice);
  await shown.says('header', /no room/);
  const again = party.enter(alice.ledger);
  shown.element.room = again.room;
  await party.join('bob', { info: { name: 'Bob' } });
  await shown.says('.peers tbody th', /^Bob ?live/);
});

it('leaves no listener when it is removed, and goes on when it is put elsewhere', async () => {
  const party = newParty();
  const { ledger, room } = await party.join('alice');
  const heard = new Set<unknown>();
  const counted = (end: () => void): (() => void) => {
    heard.add(end);
    return () => {
      heard.delete(end);
      end();
    };
  };
  const [subscribe, subscribeToRoom] = [ledger.subscribe.bind(ledger), room.subscribe.bind(room)];
  vi.spyOn(ledger, 'subscribe').mockImplementation((listener) => counted(subscribe(listener)));
  vi.spyOn(room, 'subscribe').mockImplementation((listener) => counted(subscribeToRoom(listener)));
  const commits = vi.spyOn(ledger, 'commits');
  const shown = new Shown(ledger, room);
  await ledger.put({ _id: 'song' });
  await shown.says('.clock .tools', /^1 commit,/);
  expect(heard.size).toBe(2);
  expect(Trace.of(ledger.replica).isHeard).toBe(true);

  shown.element.remove();
  expect(heard.size).toBe(0);
  expect(Trace.of(ledger.replica).isHeard).toBe(false);
  const asked = commits.mock.calls.length;
  await ledger.put({ _id: 'song', title: 'Fire' });
  await nextFrames();
  expect(commits.mock.calls.length).toBe(asked);

  document.body.prepend(shown.element);
  await shown.says('.clock .tools', /^2 commits,/);
  expect(heard.size).toBe(2);
  shown.element.ledger = undefined;
  expect(heard.size).toBe(0);
  expect(shown.root.childElementCount).toBe(0);
});

it('does nothing while nobody can see it', async () => {
  const ledger = await memoryLedger('alice');
  const commits = vi.spyOn(ledger, 'commits');
  const shown = new Shown(ledger);
  await shown.says('.clock .tools', /^0 commits,/);
  shown.element.hidden = true;
  await nextFrames();
  const asked = commits.mock.calls.length;
  for (let n = 0; n < 5; n++) {
    await ledger.put({ _id: 'song', n });
    await nextFrames();
  }
  expect(commits.mock.calls.length).toBe(asked);
  shown.element.hidden = false;
  await shown.says('.clock .tools', /^5 commits,/);
});

it('takes properties that were set before the element was known', async () => {
  const ledger = await memoryLedger('early');
  const shown = new Shown(ledger);
  const early = document.createElement('div');
  early.append(shown.element.cloneNode());
  const element = early.firstElementChild as InspectorElement;
  Object.defineProperty(element, 'ledger', { value: ledger, configurable: true, writable: true });
  document.body.append(early);
  onTestFinished(() => early.remove());
  await vi.waitFor(() => expect(element.shadowRoot!.textContent).toContain('early'), SOON);
});

it.each(['light', 'dark'])('stands out in the %s theme, and names its controls', async (theme) => {
  const party = newParty();
  const { alice } = await quarrel(party);
  const shown = new Shown(alice.ledger, alice.room, { theme });
  await vi.waitFor(() => expect(shown.all('.conflict tbody tr').length).toBe(2), SOON);
  await shown.says('.difference', /all came/);
  shown.press('.clock canvas', 'End');
  await shown.says('.clock .details', /head of the clock/);
  expect(faintTexts(4.5, shown.root)).toEqual([]);

  const controls = shown.all('button, input, select, a, summary, [tabindex]');
  expect(controls.length).toBeGreaterThan(20);
  const nameless = controls.filter((control) => {
    const label = control.getAttribute('aria-label') ?? control.closest('label')?.textContent;
    return (label ?? control.textContent).trim() === '';
  });
  expect(nameless).toEqual([]);
});

it('fits into 320 pixels', async () => {
  const party = newParty();
  const { alice } = await quarrel(party);
  const shown = new Shown(alice.ledger, alice.room);
  shown.element.style.width = '320px';
  await vi.waitFor(() => expect(shown.all('.conflict tbody tr').length).toBe(2), SOON);
  await shown.says('.difference', /all came/);
  expect(shown.element.scrollWidth).toBe(320);
  const { right } = shown.element.getBoundingClientRect();
  const wide = shown
    .all('.body > *, table, button')
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > right);
  expect(wide.map(({ outerHTML }) => outerHTML)).toEqual([]);
});

/** Two frames: by then the page knows what is on screen. */
async function nextFrames(): Promise<void> {
  for (let n = 0; n < 2; n++) await new Promise((resolve) => requestAnimationFrame(resolve));
}
