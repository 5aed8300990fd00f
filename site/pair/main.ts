/** The pairing page: a list that two browsers share, introduced by two short texts. */
import { LedgerError, openLedger, type Ledger } from 'emberlink';
import { element } from '../shared/element.ts';
import { takeFragment } from './link.ts';
import { Notes } from './notes.ts';
import { NotesView } from './notes-view.ts';
import { PairingPanel } from './pairing-panel.ts';
import { wordsFor } from './words.ts';

const DEFAULT_NAME = 'our list';

const name = new URLSearchParams(location.search).get('list')?.trim() || DEFAULT_NAME;
element('ledger-name').textContent = name;
const choice = element('ledger-choice', HTMLInputElement);
choice.value = name;
element('open-ledger').addEventListener('submit', (event) => {
  event.preventDefault();
  location.search = new URLSearchParams({ list: choice.value.trim() }).toString();
});

try {
  const ledger = await open();
  const view = new NotesView(new Notes(ledger), complain);
  await view.fill();
  const panel = new PairingPanel(ledger);
  const bring = (): void => {
    const text = takeFragment();
    if (text !== undefined) void panel.bring(text);
  };
  addEventListener('hashchange', bring);
  // For programs that use the page.
  document.documentElement.dataset['ready'] = '';
  bring();
} catch (error) {
  complain(error);
}

/** The list of that name in this browser; where a browser keeps nothing, one that lasts as long as the page. */
async function open(): Promise<Ledger> {
  try {
    const ledger = await openLedger(fileName(name));
    if (!isSecureContext) {
      warn(
        'This page came over plain http from another machine: browsers give it no camera. Pasting works, and so do pictures of a code.',
      );
    }
    return ledger;
  } catch (error) {
    if (!(error instanceof LedgerError && error.code === 'no-storage')) throw error;
    warn(
      'This browser keeps nothing for this page (it is a private window, perhaps): the list is gone when the page is.',
    );
    return openLedger(fileName(name), { storage: 'memory' });
  }
}

/** Ledgers have names as files have: no spaces, and nothing odd at their ends. */
function fileName(text: string): string {
  return `pair-${text.toLowerCase().replaceAll(' ', '_')}.list`;
}

function warn(words: string): void {
  element('keeping').textContent = words;
  element('keeping').hidden = false;
}

function complain(error: unknown): void {
  element('trouble').textContent = wordsFor(error);
  element('trouble').hidden = false;
}
