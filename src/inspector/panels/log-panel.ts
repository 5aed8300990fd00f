import { KeyedRows, make, say } from '../dom.ts';
import { EVENT_KINDS, type EventKind, type LoggedEvent, passes } from '../event-log.ts';
import { formatNumber, formatTime } from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';

const ROWS = 100;
const MORE_ROWS = 400;
/** They come by the dozen, and hide the others. */
const HIDDEN_AT_FIRST: readonly EventKind[] = ['message'];
const KEEP_FILE_MS = 60_000;

/** What happened, newest first. */
export class LogPanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #rows: KeyedRows<{ element: HTMLElement }>;
  readonly #search: HTMLInputElement;
  readonly #peers: HTMLSelectElement;
  readonly #pause: HTMLButtonElement;
  readonly #more: HTMLButtonElement;
  readonly #count: HTMLElement = make('p', { class: 'quiet' });
  readonly #kinds = new Set<EventKind>(
    EVENT_KINDS.filter((kind) => !HIDDEN_AT_FIRST.includes(kind)),
  );
  #most = ROWS;
  /** The number of the last event that is shown; undefined for all that come. */
  #pausedAt: number | undefined;
  #file: string | undefined;
  #fileTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: PanelHost) {
    this.#host = host;
    const changed = (): void => host.request();
    this.#search = make('input', {
      type: 'search',
      placeholder: 'Find',
      attributes: { 'aria-label': 'Events that contain this text' },
    });
    this.#search.addEventListener('input', changed);
    this.#peers = make(
      'select',
      { attributes: { 'aria-label': 'Events of this peer' } },
      make('option', { value: '', text: 'all peers' }),
    );
    this.#peers.addEventListener('change', changed);
    this.#pause = make('button', {
      type: 'button',
      text: 'Pause',
      attributes: { 'aria-pressed': 'false' },
    });
    this.#pause.addEventListener('click', () => this.#togglePause());
    const save = make('a', {
      class: 'button',
      text: 'Save',
      href: '#',
      title: 'Save all events as JSON lines',
    });
    save.addEventListener('click', () => this.#makeFile(save));
    this.#more = make('button', { type: 'button', text: 'Show more' });
    this.#more.addEventListener('click', () => {
      this.#most += MORE_ROWS;
      host.request();
    });

    const kinds = EVENT_KINDS.map((kind) => {
      const box = make('input', { type: 'checkbox', checked: this.#kinds.has(kind) });
      box.addEventListener('change', () => {
        if (box.checked) this.#kinds.add(kind);
        else this.#kinds.delete(kind);
        host.request();
      });
      return make('label', { class: 'chip' }, box, kind);
    });
    const heads = ['Time', 'Kind', 'Peer', 'What'].map((text) =>
      make('th', { text, attributes: { scope: 'col' } }),
    );
    const body = make('tbody');
    this.#rows = new KeyedRows(body);
    const table = make(
      'table',
      {},
      make('caption', { class: 'unseen', text: 'Events, newest first' }),
      make('thead', {}, make('tr', {}, ...heads)),
      body,
    );
    const scroller = make(
      'div',
      { class: 'scroller', tabIndex: 0, attributes: { role: 'region', 'aria-label': 'Events' } },
      table,
      this.#more,
    );
    this.element = foldable(
      'Events',
      'log',
      make('div', { class: 'tools' }, this.#search, this.#peers, this.#pause, save),
      make(
        'fieldset',
        { class: 'kinds' },
        make('legend', { class: 'unseen', text: 'Kinds of events' }),
        ...kinds,
      ),
      scroller,
      this.#count,
    );
  }

  update(): void {
    const { log, names } = this.#host.observation;
    this.#updatePeers();
    const filter = {
      kinds: this.#kinds,
      peer: this.#peers.value === '' ? undefined : this.#peers.value,
      text: this.#search.value.trim(),
    };
    const shown: LoggedEvent[] = [];
    let hasMore = false;
    for (const event of log.newestFirst(this.#pausedAt)) {
      if (!passes(event, filter)) continue;
      hasMore = shown.length === this.#most;
      if (hasMore) break;
      shown.push(event);
    }
    this.#more.hidden = !hasMore;
    const isPaused =
      this.#pausedAt === undefined ? '' : `, ${log.count - this.#pausedAt} since the pause`;
    say(this.#count, `${formatNumber(log.count, 'event')}, the last ${log.size} kept${isPaused}`);
    this.#rows.show(
      shown,
      ({ number }) => `${number}`,
      ({ at, kind, peer, text }) => ({
        element: make(
          'tr',
          {},
          make('td', { class: 'time', text: formatTime(at, Date.now()) }),
          make('td', { text: kind, attributes: { 'data-kind': kind } }),
          make('td', { text: peer === undefined ? '' : names.ofPeer(peer) }),
          make('td', { class: 'what', text }),
        ),
      }),
    );
  }

  stop(): void {
    this.#dropFile();
  }

  #updatePeers(): void {
    const { log, names } = this.#host.observation;
    const options = new Map(Array.from(this.#peers.options, (option) => [option.value, option]));
    options.delete('');
    for (const peer of log.peers) {
      const option = options.get(peer) ?? make('option', { value: peer });
      options.delete(peer);
      say(option, names.ofPeer(peer));
      if (option.parentNode === null) this.#peers.append(option);
    }
    // Those that are forgotten, but for the one that is chosen.
    for (const option of options.values()) if (!option.selected) option.remove();
  }

  #togglePause(): void {
    this.#pausedAt = this.#pausedAt === undefined ? this.#host.observation.log.count : undefined;
    this.#pause.setAttribute('aria-pressed', String(this.#pausedAt !== undefined));
    this.#host.request();
  }

  /** Makes the file that the link is about to lead to. */
  #makeFile(link: HTMLAnchorElement): void {
    this.#dropFile();
    const { log, ledger } = this.#host.observation;
    const file = new Blob([log.toJsonLines()], { type: 'application/x-ndjson' });
    this.#file = URL.createObjectURL(file);
    link.href = this.#file;
    link.download = `${ledger.name}-events.jsonl`;
    this.#fileTimer = setTimeout(() => this.#dropFile(), KEEP_FILE_MS);
  }

  #dropFile(): void {
    clearTimeout(this.#fileTimer);
    if (this.#file !== undefined) URL.revokeObjectURL(this.#file);
    this.#file = undefined;
  }
}
