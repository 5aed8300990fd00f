import { make, say } from '../dom.ts';
import { formatBytes, formatCount } from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';

/** How much there is in the ledger. */
export class StoragePanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #facts: readonly {
    readonly value: HTMLElement;
    readonly of: (host: PanelHost) => string;
  }[];

  constructor(host: PanelHost) {
    this.#host = host;
    const list = make('dl', { class: 'tiles' });
    const fact = (
      name: string,
      of: (host: PanelHost) => string,
    ): { value: HTMLElement; of: (host: PanelHost) => string } => {
      const value = make('dd');
      list.append(make('div', {}, make('dt', { text: name }), value));
      return { value, of };
    };
    this.#facts = [
      fact('Documents', ({ observation }) => counted(observation.usage?.documents)),
      fact('Commits', ({ observation }) => counted(observation.usage?.commits)),
      fact('Stored', ({ observation: { usage } }) =>
        usage === undefined ? '' : formatBytes(usage.storedBytes),
      ),
      fact('Heads', ({ observation }) => counted(observation.ledger.clock.length)),
      fact('Kept', ({ observation }) => kept(observation.ledger.persisted)),
    ];
    this.element = foldable('Storage', 'storage', list);
  }

  update(): void {
    for (const { value, of } of this.#facts) {
      const text = of(this.#host);
      // Not every ledger can tell everything.
      value.parentElement!.hidden = text === '';
      say(value, text);
    }
  }
}

function counted(count: number | undefined): string {
  return count === undefined ? '' : formatCount(count);
}

/** Whether a browser may clear it when room gets scarce: a storage bucket's mode, by the Storage Standard. */
function kept(persisted: boolean | undefined): string {
  if (persisted === undefined) return '';
  return persisted ? 'for good' : 'best effort';
}
