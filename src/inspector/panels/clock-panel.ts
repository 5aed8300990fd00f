import { Canvas } from '../canvas.ts';
import type { CommitNode } from '../commit-graph.ts';
import { make, say } from '../dom.ts';
import { formatBytes, formatNumber, formatTime, shortCid } from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';

const LANE_PX = 30;
const TOP_PX = 24;
const BOTTOM_PX = 6;
const MIN_HEIGHT_PX = 96;
/** Between columns, from far to near. */
const ZOOMS = [4, 7, 11, 16, 24];
const FIRST_ZOOM = 3;
/** From the newest commit to the right edge. */
const MARGIN_PX = 22;
/** How far from a commit a finger or pointer may be. */
const REACH_PX = 16;
const APPEAR_MS = 600;
/** In so many milliseconds the way to where the picture goes is halved. */
const HALF_WAY_MS = 70;
/** Edges of commits that lie just outside reach into the picture. */
const OUTSIDE_COLUMNS = 12;

/** The Merkle clock as a graph that grows to the right: a lane for each writer. */
export class ClockPanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #canvas: Canvas;
  readonly #slider: HTMLInputElement;
  readonly #live: HTMLButtonElement;
  readonly #older: HTMLButtonElement;
  readonly #count: HTMLElement = make('span', { class: 'quiet' });
  readonly #details: HTMLElement = make('dl', { class: 'details' });
  readonly #hint: HTMLElement = make('p', {
    class: 'quiet',
    text: 'Point at a commit, or move from one to the next with the arrow keys.',
  });
  #zoom = FIRST_ZOOM;
  /** The column at the right edge, as it is drawn, and where that goes to. */
  #right = 0;
  #wantedRight = 0;
  #isFollowing = true;
  #drawnAt = 0;
  #hovered: string | undefined;
  #selected: string | undefined;
  #shown: string | undefined;
  #drag: { x: number; right: number; moved: boolean } | undefined;

  constructor(host: PanelHost) {
    this.#host = host;
    this.#canvas = new Canvas(MIN_HEIGHT_PX, () => host.request());
    const canvas = this.#canvas.element;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-roledescription', 'graph of commits');
    canvas.setAttribute('aria-label', 'Merkle clock');
    const help = make('p', {
      class: 'unseen',
      id: 'clock-help',
      text: 'Left and right arrow lead to parents and children, up and down to other writers, Home and End to the oldest and newest commit.',
    });
    canvas.setAttribute('aria-describedby', help.id);
    this.#details.setAttribute('aria-live', 'polite');
    this.#slider = make('input', {
      type: 'range',
      class: 'scroll',
      attributes: { 'aria-label': 'Scroll through the commits' },
    });
    this.#slider.addEventListener('input', () => this.#scrollTo(Number(this.#slider.value)));
    const button = (text: string, label: string, onClick: () => void): HTMLButtonElement => {
      const made = make('button', { type: 'button', text, title: label });
      made.setAttribute('aria-label', label);
      made.addEventListener('click', onClick);
      return made;
    };
    this.#older = button('Older', 'Show older commits', () => host.observation.readOlder());
    this.#live = button('Newest', 'Go to the newest commits', () => this.#follow());
    const tools = make(
      'div',
      { class: 'tools' },
      this.#count,
      make('span', { class: 'gap' }),
      this.#older,
      this.#live,
      button('−', 'Zoom out', () => this.#zoomBy(-1)),
      button('+', 'Zoom in', () => this.#zoomBy(1)),
    );
    this.element = foldable(
      'Merkle clock',
      'clock',
      tools,
      help,
      canvas,
      this.#slider,
      this.#hint,
      this.#details,
    );
    this.#listen(canvas);
  }

  start(): void {
    this.#canvas.start();
  }

  stop(): void {
    this.#canvas.stop();
    this.#drag = undefined;
  }

  update(): void {
    const { observation } = this.#host;
    const { graph } = observation;
    const heads = observation.ledger.clock.length;
    say(this.#count, `${formatNumber(graph.size, 'commit')}, ${formatNumber(heads, 'head')}`);
    this.#older.hidden = !observation.hasOlder;
    this.#live.hidden = this.#isFollowing;
    const first = this.#leastRight;
    this.#slider.hidden = graph.lastColumn <= first;
    this.#slider.min = `${first}`;
    this.#slider.max = `${graph.lastColumn}`;
    this.#slider.value = `${Math.round(this.#isFollowing ? graph.lastColumn : this.#wantedRight)}`;
    this.#showDetails();
  }

  draw(nowMs: number): boolean {
    const { graph } = this.#host.observation;
    const height = TOP_PX + Math.max(1, graph.lanes.length) * LANE_PX + BOTTOM_PX;
    this.#canvas.height = Math.max(MIN_HEIGHT_PX, height);
    if (this.#isFollowing) this.#wantedRight = graph.lastColumn;
    const isMoving = this.#move(nowMs);
    const isAppearing = this.#paint(this.#canvas.clear(), nowMs);
    return isMoving || isAppearing;
  }

  // --- the picture ---

  /** Goes a part of the way to where it should be; false once it is there. */
  #move(nowMs: number): boolean {
    const passed = Math.min(nowMs - this.#drawnAt, 100);
    this.#drawnAt = nowMs;
    const away = this.#wantedRight - this.#right;
    // From afar it would only blur.
    const isFar = Math.abs(away) * this.#step > this.#canvas.width;
    if (this.#host.theme.isCalm || isFar || this.#drag !== undefined) {
      this.#right = this.#wantedRight;
      return false;
    }
    this.#right += away * (1 - 2 ** (-passed / HALF_WAY_MS));
    if (Math.abs(this.#wantedRight - this.#right) * this.#step > 0.2) return true;
    this.#right = this.#wantedRight;
    return false;
  }

  #paint(context: CanvasRenderingContext2D, nowMs: number): boolean {
    const { observation, theme } = this.#host;
    const { graph, names } = observation;
    const { colours } = theme;
    const width = this.#canvas.width;
    const first = Math.floor(this.#columnAt(0)) - 1;
    const last = Math.ceil(this.#columnAt(width)) + 1;
    const radius = Math.max(2.5, Math.min(5, this.#step * 0.32));

    context.lineWidth = 1;
    context.strokeStyle = colours.line;
    context.beginPath();
    for (const lane of graph.lanes.keys()) {
      context.moveTo(0, this.#y(lane));
      context.lineTo(width, this.#y(lane));
    }
    context.stroke();

    const nodes = [...graph.between(first, last + OUTSIDE_COLUMNS)];
    this.#paintEdges(context, nodes);
    context.globalAlpha = 1;

    let isAppearing = false;
    for (const node of nodes) {
      if (node.column > last) continue;
      const age = (nowMs - node.cameAt) / APPEAR_MS;
      const grown = theme.isCalm || age >= 1 ? 1 : Math.max(0, age);
      if (grown < 1) isAppearing = true;
      this.#paintCommit(context, node, radius, grown);
    }
    this.#paintNames(context, names);
    return isAppearing;
  }

  /** A stroke for each lane: thousands of single ones would take their time. */
  #paintEdges(context: CanvasRenderingContext2D, nodes: readonly CommitNode[]): void {
    const { observation, theme } = this.#host;
    const near = this.#hovered ?? this.#selected;
    const plain = new Map<number, Path2D>();
    const unknown = new Path2D();
    const bright = new Path2D();
    for (const node of nodes) {
      let path = plain.get(node.lane);
      if (path === undefined) plain.set(node.lane, (path = new Path2D()));
      for (const id of node.parents) {
        const parent = observation.graph.get(id);
        const isNear = near !== undefined && (node.id === near || id === near);
        if (parent !== undefined) this.#addEdge(isNear ? bright : path, parent, node);
        else {
          // It goes on where nothing is known.
          const [x, y] = [this.#x(node.column), this.#y(node.lane)];
          unknown.moveTo(x - this.#step * 0.8, y);
          unknown.lineTo(x, y);
        }
      }
    }
    context.globalAlpha = 0.55;
    context.lineWidth = 1.4;
    for (const [lane, path] of plain) {
      context.strokeStyle = theme.writer(lane);
      context.stroke(path);
    }
    context.strokeStyle = theme.colours.quiet;
    context.setLineDash([2, 3]);
    context.stroke(unknown);
    context.setLineDash([]);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = theme.colours.ink;
    context.stroke(bright);
  }

  #addEdge(path: Path2D, parent: CommitNode, node: CommitNode): void {
    const [x, y] = [this.#x(node.column), this.#y(node.lane)];
    const [fromX, fromY] = [this.#x(parent.column), this.#y(parent.lane)];
    path.moveTo(fromX, fromY);
    if (fromY === y) {
      path.lineTo(x, y);
      return;
    }
    // It leaves its lane just before it arrives: long edges do not cross the others' lanes.
    const bend = Math.max(fromX, x - Math.max(this.#step * 1.6, 14));
    const middle = (bend + x) / 2;
    path.lineTo(bend, fromY);
    path.bezierCurveTo(middle, fromY, middle, y, x, y);
  }

  #paintCommit(
    context: CanvasRenderingContext2D,
    node: CommitNode,
    radius: number,
    grown: number,
  ): void {
    const { theme } = this.#host;
    const { colours } = theme;
    const [x, y] = [this.#x(node.column), this.#y(node.lane)];
    const colour = theme.writer(node.lane);
    const isHead = node.children.length === 0;
    if (grown < 1) {
      context.strokeStyle = colour;
      context.globalAlpha = 0.6 * (1 - grown);
      context.lineWidth = 2;
      circle(context, x, y, radius + 9 * grown);
      context.stroke();
      context.globalAlpha = 1;
    }
    // It begins large and settles.
    const size = radius * (1 + 0.7 * (1 - grown));
    if (isHead) {
      context.fillStyle = colour;
      context.globalAlpha = 0.28;
      circle(context, x, y, radius * 2.3);
      context.fill();
      context.globalAlpha = 1;
    }
    context.fillStyle = colour;
    circle(context, x, y, size);
    context.fill();
    if (isHead) {
      context.fillStyle = colours.card;
      circle(context, x, y, size * 0.45);
      context.fill();
    }
    if (node.id !== this.#hovered && node.id !== this.#selected) return;
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    circle(context, x, y, size + 3.5);
    context.stroke();
  }

  #paintNames(context: CanvasRenderingContext2D, names: PanelHost['observation']['names']): void {
    const { observation, theme } = this.#host;
    const own = observation.ledger.writer;
    context.font = '600 11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    for (const [lane, ledger] of observation.graph.lanes.entries()) {
      const text = own.startsWith(ledger) ? 'me' : names.ofLedger(ledger);
      const y = this.#y(lane) - 10;
      const { width } = context.measureText(text);
      context.fillStyle = theme.colours.card;
      context.globalAlpha = 0.82;
      context.fillRect(2, y - 7, width + 6, 13);
      context.globalAlpha = 1;
      context.fillStyle = theme.writer(lane);
      context.fillText(text, 5, y);
    }
  }

  // --- where things lie ---

  get #step(): number {
    return ZOOMS[this.#zoom]!;
  }

  /** The column at the right edge when one has scrolled to the beginning. */
  get #leastRight(): number {
    const { firstColumn, lastColumn } = this.#host.observation.graph;
    const columns = Math.floor((this.#canvas.width - 2 * MARGIN_PX) / this.#step);
    return Math.min(firstColumn + columns, lastColumn);
  }

  #x(column: number): number {
    return this.#canvas.width - MARGIN_PX - (this.#right - column) * this.#step;
  }

  #y(lane: number): number {
    return TOP_PX + lane * LANE_PX + 4;
  }

  #columnAt(x: number): number {
    return this.#right - (this.#canvas.width - MARGIN_PX - x) / this.#step;
  }

  #commitAt(x: number, y: number): CommitNode | undefined {
    const reach = REACH_PX / this.#step;
    const column = this.#columnAt(x);
    let best: CommitNode | undefined;
    let least = REACH_PX;
    const { graph } = this.#host.observation;
    for (const node of graph.between(Math.floor(column - reach), Math.ceil(column + reach))) {
      const away = Math.hypot(this.#x(node.column) - x, this.#y(node.lane) - y);
      if (away > least) continue;
      least = away;
      best = node;
    }
    return best;
  }

  // --- moving about ---

  #follow(): void {
    this.#isFollowing = true;
    this.#host.request();
  }

  #scrollTo(right: number): void {
    const { lastColumn } = this.#host.observation.graph;
    this.#wantedRight = Math.min(Math.max(right, this.#leastRight), lastColumn);
    this.#isFollowing = this.#wantedRight >= lastColumn;
    this.#host.request();
  }

  #zoomBy(steps: number): void {
    this.#zoom = Math.min(Math.max(this.#zoom + steps, 0), ZOOMS.length - 1);
    this.#scrollTo(this.#wantedRight);
  }

  #select(node: CommitNode | undefined): void {
    if (node === undefined) return;
    this.#selected = node.id;
    this.#hovered = undefined;
    const [left, right] = [this.#columnAt(0) + 1, this.#wantedRight];
    if (node.column > right) this.#scrollTo(node.column + 2);
    else if (node.column < left) this.#scrollTo(node.column + right - left - 2);
    this.#host.request();
  }

  #listen(canvas: HTMLCanvasElement): void {
    const at = ({ clientX, clientY }: MouseEvent): [number, number] => {
      const { left, top } = canvas.getBoundingClientRect();
      return [clientX - left, clientY - top];
    };
    canvas.addEventListener('pointerdown', (event) => {
      this.#drag = { x: event.clientX, right: this.#wantedRight, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.#drag === undefined) {
        const hovered = this.#commitAt(...at(event))?.id;
        if (hovered === this.#hovered) return;
        this.#hovered = hovered;
        this.#host.request();
        return;
      }
      const moved = event.clientX - this.#drag.x;
      if (Math.abs(moved) > 4) this.#drag.moved = true;
      if (this.#drag.moved) this.#scrollTo(this.#drag.right - moved / this.#step);
    });
    const release = (event: PointerEvent): void => {
      const wasTap = event.type === 'pointerup' && this.#drag?.moved === false;
      this.#drag = undefined;
      if (wasTap) this.#selected = this.#commitAt(...at(event))?.id;
      this.#host.request();
    };
    canvas.addEventListener('pointerup', release);
    canvas.addEventListener('pointercancel', release);
    canvas.addEventListener('pointerleave', () => {
      this.#hovered = undefined;
      this.#host.request();
    });
    canvas.addEventListener(
      'wheel',
      (event) => {
        // Up and down belongs to the page.
        const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
        if (Math.abs(sideways) < Math.abs(event.deltaY) && !event.shiftKey) return;
        event.preventDefault();
        this.#scrollTo(this.#wantedRight + sideways / this.#step);
      },
      { passive: false },
    );
    canvas.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const next = this.#onKey(event.key);
      if (next === undefined) return;
      event.preventDefault();
      // An app's own keys are not meant.
      event.stopPropagation();
      this.#select(next);
    });
  }

  /** The commit that a key leads to. */
  #onKey(key: string): CommitNode | undefined {
    const { graph } = this.#host.observation;
    const selected = this.#selected === undefined ? undefined : graph.get(this.#selected);
    const ways = {
      ArrowLeft: 'parent',
      ArrowRight: 'child',
      ArrowUp: 'above',
      ArrowDown: 'below',
    } as const;
    if (key === 'Home') return first(graph.between(graph.firstColumn, graph.lastColumn));
    const newest = (): CommitNode | undefined =>
      first(graph.between(graph.lastColumn, graph.lastColumn));
    if (key === 'End') return newest();
    if (!(key in ways)) return undefined;
    if (selected === undefined) return newest();
    return graph.neighbour(selected.id, ways[key as keyof typeof ways]) ?? selected;
  }

  // --- words ---

  #showDetails(): void {
    const id = this.#hovered ?? this.#selected;
    const { graph, ledger, names } = this.#host.observation;
    const node = id === undefined ? undefined : graph.get(id);
    const shown = node === undefined ? undefined : `${node.id} ${node.children.length === 0}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#hint.hidden = node !== undefined;
    this.#details.hidden = node === undefined;
    if (node === undefined) return;
    const writer = ledger.writer.startsWith(node.ledger)
      ? 'me'
      : `${names.ofLedger(node.ledger)} (${node.ledger})`;
    const isHead = node.children.length === 0;
    const facts: [string, string | Node][] = [
      ['Commit', make('code', { text: node.id, title: shortCid(node.id) })],
      ['Writer', writer],
      ['Time', `${formatTime(node.time, Date.now())}${isHead ? ', a head of the clock' : ''}`],
      ['Size', formatBytes(node.bytes)],
      ['Parents', node.parents.map(shortCid).join(', ') || 'none'],
      ['Operations', operationsOf(node)],
    ];
    this.#details.replaceChildren(
      ...facts.flatMap(([name, value]) => [make('dt', { text: name }), make('dd', {}, value)]),
    );
  }
}

function operationsOf({ operations, operationCount }: CommitNode): HTMLElement {
  const list = make('ul', {});
  for (const { id, kind, fields } of operations) {
    const what = kind === 'delete' ? 'deleted' : fields.join(', ');
    list.append(make('li', {}, make('code', { text: id }), ` ${what}`));
  }
  const more = operationCount - operations.length;
  if (more > 0) list.append(make('li', { class: 'quiet', text: `and ${more} more` }));
  return list;
}

function circle(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
