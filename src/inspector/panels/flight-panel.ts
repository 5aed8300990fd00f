import { Canvas } from '../canvas.ts';
import { make, say } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';
import { peerOf, type SessionRecord } from '../sessions.ts';

const HEIGHT_PX = 210;
/** On a small screen two lie beside me: that needs no height. */
const LOW_HEIGHT_PX = 120;
const SMALL_PX = 400;
const PEER_PX = 13;
const SWAY_PX = 16;
const MAX_PEERS = 16;

interface Place {
  readonly key: string;
  readonly x: number;
  readonly y: number;
}

/** Blocks as dots between this ledger and its peers. Where nothing may move, their numbers alone. */
export class FlightPanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #canvas: Canvas;
  readonly #words: HTMLElement = make('p', { class: 'quiet' });

  constructor(host: PanelHost) {
    this.#host = host;
    this.#canvas = new Canvas(LOW_HEIGHT_PX, () => host.request());
    this.#canvas.element.setAttribute('role', 'img');
    this.#canvas.element.setAttribute('aria-label', 'Blocks on their way; told in words below');
    this.element = foldable('Blocks in flight', 'flight', this.#canvas.element, this.#words);
  }

  start(): void {
    this.#canvas.start();
  }

  stop(): void {
    this.#canvas.stop();
  }

  update(): void {
    const open = this.#host.observation.sessions.open;
    const sum = (of: (session: SessionRecord) => number): number =>
      open.reduce((all, session) => all + of(session), 0);
    const got = formatNumber(
      sum(({ blocksIn }) => blocksIn),
      'block',
    );
    const gave = formatNumber(
      sum(({ blocksOut }) => blocksOut),
      'block',
    );
    const waiting = sum(({ unacknowledged }) => unacknowledged);
    say(this.#words, `${got} received, ${gave} sent, ${waiting} of them on their way.`);
  }

  draw(nowMs: number): boolean {
    const { observation, theme } = this.#host;
    const { flight, names } = observation;
    const { colours } = theme;
    const peers = this.#peers();
    const isLow = peers.length <= 2 && this.#canvas.width < SMALL_PX;
    this.#canvas.height = isLow ? LOW_HEIGHT_PX : HEIGHT_PX;
    const context = this.#canvas.clear();
    const me = { key: '', x: this.#canvas.width / 2, y: this.#canvas.height / 2 };
    const places = placesAround(me, peers);

    context.strokeStyle = colours.line;
    context.lineWidth = 1.5;
    for (const { x, y } of places) {
      context.beginPath();
      context.moveTo(me.x, me.y);
      context.lineTo(x, y);
      context.stroke();
    }

    const dots = flight.dots(nowMs);
    if (!theme.isCalm) {
      for (const { peer, direction, blocks, progress, sway } of dots) {
        const place = places.find(({ key }) => key === peer);
        if (place === undefined) continue;
        const part = ease(direction === 'out' ? progress : 1 - progress);
        const bend = Math.sin(Math.PI * progress) * sway * SWAY_PX;
        const [dx, dy] = [place.x - me.x, place.y - me.y];
        const length = Math.hypot(dx, dy) || 1;
        const x = me.x + dx * part - (dy / length) * bend;
        const y = me.y + dy * part + (dx / length) * bend;
        const radius = Math.min(7, 2.5 + Math.log2(blocks));
        const colour = direction === 'out' ? colours.mine : colours.theirs;
        context.fillStyle = colour;
        context.globalAlpha = 0.25;
        disc(context, x, y, radius * 2.2);
        context.globalAlpha = 1;
        disc(context, x, y, radius);
      }
    }

    context.font = '600 12px system-ui, sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    for (const { key, x, y } of places) {
      const session = observation.sessions.open.find((each) => peerOf(each) === key);
      context.fillStyle = colours.card;
      context.strokeStyle = session === undefined ? colours.line : colours.theirs;
      context.lineWidth = 2;
      disc(context, x, y, PEER_PX);
      context.stroke();
      context.fillStyle = colours.ink;
      const counts =
        theme.isCalm && session !== undefined ? ` ↑${session.blocksOut} ↓${session.blocksIn}` : '';
      context.fillText(
        names.ofPeer(key) + counts,
        x,
        y < me.y ? y - PEER_PX - 9 : y + PEER_PX + 10,
      );
    }
    context.fillStyle = colours.mine;
    disc(context, me.x, me.y, PEER_PX + 3);
    context.fillStyle = colours.card;
    context.fillText('me', me.x, me.y + 0.5);
    return flight.isBusy && !theme.isCalm;
  }

  /** In the order in which they came. */
  #peers(): string[] {
    const { room, sessions } = this.#host.observation;
    const peers = new Set(room?.peers.map(({ id }) => id));
    for (const session of sessions.open) peers.add(peerOf(session));
    return [...peers].slice(0, MAX_PEERS);
  }
}

/** One lies on the right, two on both sides, and so on. */
function placesAround(me: Place, peers: readonly string[]): Place[] {
  const [wide, high] = [Math.max(40, me.x - 60), me.y - PEER_PX - 22];
  return peers.map((key, place) => {
    const angle = (2 * Math.PI * place) / peers.length;
    return { key, x: me.x + wide * Math.cos(angle), y: me.y + high * Math.sin(angle) };
  });
}

function ease(part: number): number {
  return part * part * (3 - 2 * part);
}

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
