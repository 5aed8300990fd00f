import type { Ledger, Room } from '../index.ts';
import { make, say, setAttribute } from './dom.ts';
import { formatNumber } from './format.ts';
import { Frames } from './frames.ts';
import { Observation } from './observation.ts';
import type { Panel, PanelHost } from './panel.ts';
import { ClockPanel } from './panels/clock-panel.ts';
import { ConflictsPanel } from './panels/conflicts-panel.ts';
import { DifferencePanel } from './panels/difference-panel.ts';
import { FlightPanel } from './panels/flight-panel.ts';
import { LogPanel } from './panels/log-panel.ts';
import { PeersPanel } from './panels/peers-panel.ts';
import { StoragePanel } from './panels/storage-panel.ts';
import { Theme } from './theme.ts';

/** Seconds pass, and rates with them. */
const SECOND_MS = 1000;

/** All panels for one ledger, within an element. It works from `start` to `stop`. */
export class Inspector implements PanelHost {
  readonly observation: Observation;
  readonly theme: Theme;
  readonly isReadonly: boolean;
  readonly element: HTMLElement;
  readonly #panels: readonly Panel[];
  readonly #frames: Frames;
  readonly #dot: HTMLElement = make('span', { class: 'dot' });
  readonly #state: HTMLElement = make('span', { class: 'quiet' });
  readonly #announced: HTMLElement = make('p', {
    class: 'unseen',
    attributes: { role: 'status' },
  });

  constructor(host: HTMLElement, ledger: Ledger, isReadonly: boolean) {
    this.isReadonly = isReadonly;
    this.#frames = new Frames(
      host,
      (nowMs) => this.#update(nowMs),
      (nowMs) => this.#draw(nowMs),
      (nowMs) => this.#oldAfterMs(nowMs),
    );
    this.observation = new Observation(ledger, () => this.#frames.request());
    this.theme = new Theme(host, () => this.#frames.request());
    this.#panels = [
      new StoragePanel(this),
      new PeersPanel(this),
      new FlightPanel(this),
      new ClockPanel(this),
      new DifferencePanel(this),
      new ConflictsPanel(this),
      new LogPanel(this),
    ];
    const header = make(
      'header',
      {},
      make('strong', {}, this.#dot, ledger.name),
      this.#state,
      this.#announced,
    );
    const panels = this.#panels.map(({ element }) => element);
    for (const panel of panels) panel.addEventListener('toggle', () => this.request());
    this.element = make('div', { class: 'all' }, header, ...panels);
  }

  start(room: Room | undefined): void {
    this.observation.room = room;
    this.observation.start();
    this.theme.start();
    for (const panel of this.#panels) panel.start?.();
    this.#frames.start();
  }

  stop(): void {
    this.#frames.stop();
    for (const panel of this.#panels) panel.stop?.();
    this.theme.stop();
    this.observation.stop();
  }

  request(): void {
    this.#frames.request();
  }

  announce(text: string): void {
    say(this.#announced, text);
  }

  #update(nowMs: number): void {
    const { observation } = this;
    observation.read(nowMs);
    const { room } = observation;
    const state = room?.status.state ?? 'no room';
    setAttribute(this.#dot, 'data-state', state);
    const others = room === undefined ? '' : `, ${formatNumber(room.peers.length, 'peer')}`;
    say(this.#state, `${state}${others}`);
    for (const panel of this.#open()) panel.update(nowMs);
  }

  /** True when something still moves. */
  #draw(nowMs: number): boolean {
    let isMoving = false;
    for (const panel of this.#open()) if (panel.draw?.(nowMs) === true) isMoving = true;
    return isMoving;
  }

  #open(): Panel[] {
    return this.#panels.filter(({ element }) => element.open);
  }

  #oldAfterMs(nowMs: number): number | undefined {
    const { sessions, isBehind } = this.observation;
    const isRecent = sessions.open.some(({ traffic }) => traffic.isRecent(nowMs));
    return isBehind || isRecent ? SECOND_MS : undefined;
  }
}
