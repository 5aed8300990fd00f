import type { RoomPeer } from '../../index.ts';
import { KeyedRows, make, makeSvg, say, setAttribute } from '../dom.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';
import { peerOf, type SessionRecord } from '../sessions.ts';
import { type Direction, TRAFFIC_SECONDS } from '../traffic.ts';

/** A member of the room, or the other side of a session without one. */
interface Line {
  readonly key: string;
  readonly peer: RoomPeer | undefined;
  readonly sessions: readonly SessionRecord[];
}

const SPARK_HEIGHT = 24;

/** Who is there, how the links are, and what travels over them. */
export class PeersPanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #rows: KeyedRows<PeerRow>;
  readonly #table: HTMLTableElement;
  readonly #nobody: HTMLElement = make('p', { class: 'quiet', text: 'Nobody else is here.' });

  constructor(host: PanelHost) {
    this.#host = host;
    const heads = ['Peer', 'Round trip', 'Received', 'Sent'].map((text) =>
      make('th', { text, attributes: { scope: 'col' } }),
    );
    const last = make('th', {
      class: 'wide',
      text: 'Last minute',
      attributes: { scope: 'col' },
    });
    const body = make('tbody');
    this.#table = make(
      'table',
      {},
      make('caption', { class: 'unseen', text: 'Peers and what travels over their links' }),
      make('thead', {}, make('tr', {}, ...heads, last)),
      body,
    );
    this.#rows = new KeyedRows(body);
    this.element = foldable('Peers and links', 'peers', this.#table, this.#nobody);
  }

  update(nowMs: number): void {
    const lines = this.#lines();
    this.#table.hidden = lines.length === 0;
    this.#nobody.hidden = lines.length > 0;
    const { names } = this.#host.observation;
    const rows = this.#rows.show(
      lines,
      ({ key }) => key,
      () => new PeerRow(),
    );
    for (const [place, row] of rows.entries())
      row.show(lines[place]!, (id) => names.ofPeer(id), nowMs);
  }

  #lines(): Line[] {
    const { room, sessions } = this.#host.observation;
    const open = sessions.open;
    const lines: Line[] = (room?.peers ?? []).map((peer) => ({
      key: peer.id,
      peer,
      sessions: open.filter((session) => session.peer === peer.id),
    }));
    for (const session of open) {
      if (lines.some(({ key }) => key === session.peer)) continue;
      lines.push({ key: peerOf(session), peer: undefined, sessions: [session] });
    }
    return lines;
  }
}

class PeerRow {
  readonly element: HTMLTableRowElement;
  readonly #name: HTMLElement = make('span', { class: 'name' });
  readonly #state: HTMLElement = make('span', { class: 'state' });
  readonly #roundTrip: HTMLElement = make('td', { class: 'number' });
  readonly #ways: Readonly<Record<Direction, { rate: HTMLElement; total: HTMLElement }>> = {
    in: { rate: make('span'), total: make('span', { class: 'quiet' }) },
    out: { rate: make('span'), total: make('span', { class: 'quiet' }) },
  };
  readonly #lines: Readonly<Record<Direction, SVGPolylineElement>> = {
    in: makeSvg('polyline', { class: 'in' }),
    out: makeSvg('polyline', { class: 'out' }),
  };

  constructor() {
    const amount = (direction: Direction): HTMLElement => {
      const { rate, total } = this.#ways[direction];
      return make('td', { class: 'number' }, rate, make('br'), total);
    };
    const spark = makeSvg(
      'svg',
      {
        class: 'spark',
        viewBox: `0 0 ${TRAFFIC_SECONDS} ${SPARK_HEIGHT}`,
        preserveAspectRatio: 'none',
        'aria-hidden': 'true',
      },
      this.#lines.in,
      this.#lines.out,
    );
    const head = make('th', { attributes: { scope: 'row' } }, this.#name, make('br'), this.#state);
    const last = make('td', { class: 'wide' }, spark);
    this.element = make('tr', {}, head, this.#roundTrip, amount('in'), amount('out'), last);
  }

  show({ key, peer, sessions }: Line, nameOf: (id: string) => string, nowMs: number): void {
    say(this.#name, nameOf(key));
    const state = peer?.state ?? 'linked';
    setAttribute(this.#state, 'data-state', state);
    say(this.#state, peer?.access === 'read' ? `${state}, reads` : state);
    const { roundTripMs } = peer ?? {};
    say(this.#roundTrip, roundTripMs === undefined ? '–' : formatDuration(roundTripMs));
    const series = { in: [0], out: [0] };
    for (const direction of ['in', 'out'] as const) {
      const sum = (of: (session: SessionRecord) => number): number =>
        sessions.reduce((all, session) => all + of(session), 0);
      const rate = sum(({ traffic }) => traffic.rate(direction, nowMs));
      const bytes = sum(({ traffic }) => traffic.bytes(direction));
      const messages = sum(({ traffic }) => traffic.messages(direction));
      say(this.#ways[direction].rate, `${formatBytes(rate)}/s`);
      say(this.#ways[direction].total, `${formatBytes(bytes)} in ${formatCount(messages)}`);
      this.#ways[direction].total.title = `${formatCount(messages)} messages`;
      series[direction] = sessions[0]?.traffic.series(direction, nowMs) ?? [0];
    }
    // Received goes down from the middle, sent goes up.
    const middle = SPARK_HEIGHT / 2;
    const most = Math.max(1, ...series.in, ...series.out);
    for (const [direction, sign] of [
      ['in', 1],
      ['out', -1],
    ] as const) {
      const points = series[direction].map((bytes, second) => {
        const height = (middle - 1) * Math.sqrt(bytes / most);
        return `${second},${(middle + sign * height).toFixed(1)}`;
      });
      setAttribute(this.#lines[direction], 'points', points.join(' '));
    }
  }
}
