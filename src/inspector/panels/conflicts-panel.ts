import type { Conflict, ConflictVersion } from '../../index.ts';
import { KeyedRows, make, say } from '../dom.ts';
import { formatDuration, formatNumber, formatTime, formatValue, shortCid } from '../format.ts';
import { foldable, type Panel, type PanelHost } from '../panel.ts';

const MAX_SHOWN = 60;

interface Case {
  readonly id: string;
  readonly conflict: Conflict;
}

/** What concurrent writers left to be settled, which value is shown meanwhile, and why. */
export class ConflictsPanel implements Panel {
  readonly element: HTMLDetailsElement;
  readonly #host: PanelHost;
  readonly #count: HTMLElement = make('p', {});
  readonly #rows: KeyedRows<{ element: HTMLElement }>;
  #told = 0;

  constructor(host: PanelHost) {
    this.#host = host;
    const list = make('div', { class: 'conflicts' });
    this.#rows = new KeyedRows(list);
    this.element = foldable('Conflicts', 'conflict', this.#count, list);
  }

  update(): void {
    const { count, documents } = this.#host.observation.conflicted;
    const cases = documents.flatMap(({ id, conflicts }) =>
      conflicts.map((conflict): Case => ({ id, conflict })),
    );
    const shown = cases.slice(0, MAX_SHOWN);
    const isPart = shown.length < cases.length || documents.length < count;
    say(
      this.#count,
      count === 0
        ? 'None: wherever two wrote at the same time, it was the same, or somebody has settled it.'
        : `${formatNumber(count, 'document')} with values that were written apart${isPart ? '; the first ones' : ''}.`,
    );
    this.#count.classList.toggle('quiet', count === 0);
    if (count !== this.#told) {
      this.#host.announce(
        count === 0 ? 'No conflicts left' : `Conflicts in ${formatNumber(count, 'document')}`,
      );
      this.#told = count;
    }
    this.#rows.show(
      shown,
      (each) => this.#keyOf(each),
      (each) => this.#makeRow(each),
    );
  }

  #makeRow({ id, conflict }: Case): { element: HTMLElement } {
    const { observation, isReadonly } = this.#host;
    const group = `${id} ${fieldOf(conflict)}`;
    const canChoose = conflict.kind === 'field' && !isReadonly;
    const heads = [...(canChoose ? ['Keep'] : []), 'Value', 'Writer', 'When'];
    const body = make('tbody');
    const table = make(
      'table',
      {},
      make('caption', {}, make('code', { text: id }), ` ${fieldOf(conflict)}`),
      make(
        'thead',
        {},
        make('tr', {}, ...heads.map((text) => make('th', { text, attributes: { scope: 'col' } }))),
      ),
      body,
    );
    // What was removed cannot be written.
    const isWritable = ({ value }: ConflictVersion): boolean => value !== undefined;
    const firstChoice = conflict.versions.findIndex(isWritable);
    const choices = conflict.versions.map((version, place) => {
      const isShown = conflict.kind === 'field' && place === 0;
      const choice = make('input', {
        type: 'radio',
        name: group,
        checked: place === firstChoice,
        disabled: !isWritable(version),
        attributes: { 'aria-label': `Keep ${valueOf(conflict, version)}` },
      });
      body.append(
        make(
          'tr',
          { class: isShown ? 'shown' : '' },
          ...(canChoose ? [make('td', {}, choice)] : []),
          make(
            'td',
            {},
            make('code', { text: valueOf(conflict, version) }),
            ...(isShown ? [' ', make('span', { class: 'badge', text: 'shown' })] : []),
          ),
          make('td', { text: this.#writerOf(version) }),
          make('td', {
            text: formatTime(version.time, Date.now()),
            title: shortCid(String(version.commit)),
          }),
        ),
      );
      return choice;
    });
    const failure = make('p', { class: 'failure', attributes: { role: 'alert' } });
    const why = make('p', { class: 'quiet', text: whyOf(conflict) });
    if (isReadonly) return { element: make('article', {}, table, why) };
    const isField = conflict.kind === 'field';
    const text = isField ? 'Settle with this value' : 'Delete it after all';
    const settle = make('button', { type: 'button', text });
    const label = isField ? `Settle ${group} with the chosen value` : `Delete ${id} after all`;
    settle.setAttribute('aria-label', label);
    settle.addEventListener('click', () => {
      settle.disabled = true;
      const chosen = conflict.versions[choices.findIndex(({ checked }) => checked)];
      observation.settle(id, conflict, chosen?.value).then(
        () => this.#host.announce(`${group} is settled`),
        (error: unknown) => {
          settle.disabled = false;
          say(failure, String(error));
        },
      );
    });
    return { element: make('article', {}, table, why, settle, failure) };
  }

  /** Another one when something else is to be shown, be it a name that was not known yet. */
  #keyOf({ id, conflict }: Case): string {
    const versions = conflict.versions.flatMap((version) => [
      String(version.commit),
      this.#writerOf(version),
    ]);
    return JSON.stringify([id, fieldOf(conflict), ...versions]);
  }

  #writerOf({ writer }: ConflictVersion): string {
    const { ledger, names } = this.#host.observation;
    const own = ledger.writer.slice(0, LEDGER_DIGITS);
    return writer.startsWith(own) ? 'me' : names.ofLedger(writer.slice(0, LEDGER_DIGITS));
  }
}

const LEDGER_DIGITS = 16;

function fieldOf(conflict: Conflict): string {
  switch (conflict.kind) {
    case 'field':
      return conflict.field;
    case 'delete':
      return '(deleted elsewhere)';
  }
}

function valueOf(conflict: Conflict, { value }: ConflictVersion): string {
  return conflict.kind === 'delete' ? 'deleted' : formatValue(value);
}

/** Why what is shown is what is shown. */
function whyOf(conflict: Conflict): string {
  if (conflict.kind === 'delete') {
    return 'The document is shown: an edit wins over a delete of the same time. The next edit settles it.';
  }
  const [winner, next] = conflict.versions;
  const gap = (winner?.time ?? 0) - (next?.time ?? 0);
  return gap > 0
    ? `Shown: the later one by hybrid time, by ${formatDuration(gap)}.`
    : 'Shown: both have the same millisecond; the finer hybrid time decides, and for equal ones the greater hash.';
}
