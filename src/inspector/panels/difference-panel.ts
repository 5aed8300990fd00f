import { KeyedRows, make, makeSvg, say } from '../dom.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatTime,
  shortCid,
} from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';
import { type Comparison, type OneSide, peerOf, type SessionRecord } from '../sessions.ts';

const MAX_LISTED = 60;

/** What two sides found out that they lack, as sets, and how they found it out. */
export class DifferencePanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #rows: KeyedRows<DifferenceRow>;
  readonly #nothing: HTMLElement = make('p', {
    class: 'quiet',
    text: 'Whenever a link is made, both sides find out which blocks each of them lacks. That shows here.',
  });

  constructor(host: PanelHost) {
    this.#host = host;
    const list = make('div', { class: 'differences' });
    this.#rows = new KeyedRows(list);
    this.element = foldable('Difference of CIDs', 'difference', list, this.#nothing);
  }

  update(): void {
    const { sessions, names } = this.#host.observation;
    const compared = sessions.compared;
    this.#nothing.hidden = compared.length > 0;
    const rows = this.#rows.show(
      compared,
      ({ session, comparison }) => `${session} ${comparison?.at}`,
      () => new DifferenceRow(),
    );
    for (const [place, row] of rows.entries()) {
      const session = compared[place]!;
      row.show(names.ofPeer(peerOf(session)), session);
    }
  }
}

class DifferenceRow {
  readonly element: HTMLElement;
  readonly #head: HTMLElement = make('h3');
  readonly #how: HTMLElement = make('p', { class: 'quiet' });
  readonly #mine: SideView = new SideView('mine');
  readonly #theirs: SideView = new SideView('theirs');
  readonly #both: SVGTextElement = label(160, 72, 'count');
  readonly #theirName: SVGTextElement = label(252, 146, 'name');

  constructor() {
    const myName = label(68, 146, 'name');
    myName.textContent = 'only here';
    const bothName = label(160, 146, 'name');
    bothName.textContent = 'both';
    const picture = makeSvg(
      'svg',
      { class: 'sets', viewBox: '0 0 320 152', 'aria-hidden': 'true' },
      makeSvg('circle', { class: 'mine', cx: 122, cy: 66, r: 62 }),
      makeSvg('circle', { class: 'theirs', cx: 198, cy: 66, r: 62 }),
      this.#mine.count,
      this.#both,
      this.#theirs.count,
      myName,
      bothName,
      this.#theirName,
    );
    this.element = make(
      'article',
      {},
      this.#head,
      picture,
      this.#how,
      this.#mine.element,
      this.#theirs.element,
    );
  }

  show(name: string, { comparison }: SessionRecord): void {
    if (comparison === undefined) return;
    const { mine, theirs, heldHere } = comparison;
    say(this.#head, `With ${name}, ${formatTime(comparison.at, Date.now())}`);
    say(this.#how, howOf(comparison));
    say(this.#both, mine.count === undefined ? '?' : formatCount(heldHere - mine.count));
    say(this.#theirName, `only ${name}`);
    this.#mine.show(mine, 'only here', 'sent');
    this.#theirs.show(theirs, `only at ${name}`, 'came');
  }
}

class SideView {
  readonly element: HTMLElement;
  readonly count: SVGTextElement;
  readonly #summary: HTMLElement = make('summary');
  readonly #list: HTMLElement = make('ul', { class: 'cids' });
  readonly #rows: KeyedRows<{ element: HTMLElement; mark: HTMLElement }>;

  constructor(side: 'mine' | 'theirs') {
    this.count = label(side === 'mine' ? 98 : 222, 72, 'count');
    this.element = make('details', { class: side }, this.#summary, this.#list);
    this.#rows = new KeyedRows(this.#list);
  }

  show(side: OneSide, where: string, verb: string): void {
    const { count, cids, travelled, travelledCount } = side;
    say(this.count, count === undefined ? `${formatCount(travelledCount)}…` : formatCount(count));
    this.element.hidden = count === 0;
    const blocks = formatNumber(count ?? travelledCount, 'block');
    const done = travelledCount === count ? 'all' : formatCount(travelledCount);
    say(this.#summary, `${blocks} ${where}: ${done} ${verb}`);
    if (!(this.element as HTMLDetailsElement).open) return;
    const rows = this.#rows.show(
      cids.slice(0, MAX_LISTED),
      (cid) => cid,
      (cid) => {
        const mark = make('span', { class: 'mark' });
        const code = make('code', { text: shortCid(cid), title: cid });
        return { element: make('li', {}, mark, code), mark };
      },
    );
    for (const [place, { mark }] of rows.entries()) {
      say(mark, travelled.has(cids[place]!) ? `${verb} ` : 'waits ');
    }
  }
}

function howOf({ how, bytes, messages, tookMs, mine, theirs }: Comparison): string {
  const took = `${formatBytes(bytes)} in ${formatNumber(messages, 'message')}, ${formatDuration(tookMs)}`;
  if (how === 'equal' || (mine.count === 0 && theirs.count === 0)) {
    return `Both have the same: ${took}.`;
  }
  return `Found out ${WORDS[how]}: ${took}.`;
}

const WORDS: Readonly<Record<Comparison['how'], string>> = {
  equal: 'by comparing heads',
  heads: 'by comparing heads, since one side alone has news',
  sketch: 'by a sketch of both sets',
  list: 'by full lists',
  context: 'by contexts, since one side has dropped commits',
  snapshot: 'by contexts, and the other side gets a snapshot',
};

function label(x: number, y: number, name: string): SVGTextElement {
  return makeSvg('text', { x, y, class: name, 'text-anchor': 'middle' });
}
