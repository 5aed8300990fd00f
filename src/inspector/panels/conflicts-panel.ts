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
    this.#rows.show(shown, keyOf, (each) => this.#makeRow(each));
  }

  #makeRow({ id, conflict }: Case): { element: HTMLElement } {
    const { observation, isReadonly } = this.#host;
    const group = `${id} ${fieldOf(conflict)}`;
    const heads = [...(isReadonly ? [] : ['Keep']), 'Value', 'Written by', 'When'];
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
    const choices = conflict.versions.map((version, place) => {
      const isShown = conflict.kind === 'field' && place === 0;
      const choice = make('input', {
        type: 'radio',
        name: group,
        checked: place === 0,
        // What was removed cannot be written.
        disabled: conflict.kind === 'field' && version.value === undefined,
        attributes: { 'aria-label': `Keep ${valueOf(conflict, version)}` },
      });
      body.append(
        make(
          'tr',
          { class: isShown ? 'shown' : '' },
          ...(isReadonly ? [] : [make('td', {}, choice)]),
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
    const settle = make('button', { type: 'button', text: 'Settle with this value' });
    settle.setAttribute('aria-label', `Settle ${group} with the chosen value`);
    settle.addEventListener('click', () => {
      settle.disabled = true;
      const chosen = choices.findIndex((choice) => choice.checked);
      observation.settle(id, conflict, chosen).then(
        () => this.#host.announce(`${group} settled`),
        (error: unknown) => {
          settle.disabled = false;
          say(failure, String(error));
        },
      );
    });
    return { element: make('article', {}, table, why, settle, failure) };
  }

  #writerOf({ writer }: ConflictVersion): string {
    const { ledger, names } = this.#host.observation;
    const own = ledger.writer.slice(0, LEDGER_DIGITS);
    return writer.startsWith(own) ? 'me' : names.ofLedger(writer.slice(0, LEDGER_DIGITS));
  }
}

const LEDGER_DIGITS = 16;

function keyOf({ id, conflict }: Case): string {
  return JSON.stringify([
    id,
    fieldOf(conflict),
    ...conflict.versions.map(({ commit }) => String(commit)),
  ]);
}

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
    return 'The document is shown: an edit made at the same time wins over a delete.';
  }
  const [winner, next] = conflict.versions;
  const gap = (winner?.time ?? 0) - (next?.time ?? 0);
  return gap > 0
    ? `Shown: the later one by hybrid time, by ${formatDuration(gap)}.`
    : 'Shown: both have the same millisecond; the finer hybrid time decides, and for equal ones the greater hash.';
}
