import type { Document, Ledger } from 'emberlink';

export interface Note {
  readonly id: string;
  readonly text: string;
  readonly done: boolean;
}

const PREFIX = 'note:';

/** The shared list: one document for each note. */
export class Notes {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async all(): Promise<Note[]> {
    const { rows } = await this.#ledger.allDocs({ prefix: PREFIX });
    return rows.map(({ doc }) => noteOf(doc));
  }

  /** Calls the listener with each note that changes, and with the id of each that is deleted. */
  subscribe(listener: (changed: Note | string, origin: 'local' | 'remote') => void): () => void {
    return this.#ledger.subscribe(({ ids, origin }) => {
      for (const id of ids) {
        if (!id.startsWith(PREFIX)) continue;
        void this.#ledger.get(id).then((document) => {
          listener(document === undefined ? id : noteOf(document), origin);
        });
      }
    });
  }

  async add(text: string): Promise<void> {
    // Ids in the order of their making; what is random keeps those of two people apart.
    const time = Date.now().toString(36).padStart(9, '0');
    const random = crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36);
    await this.#ledger.put({ _id: `${PREFIX}${time}-${random}`, text, done: false });
  }

  async setText(id: string, text: string): Promise<void> {
    await this.#change(id, { text });
  }

  async setDone(id: string, done: boolean): Promise<void> {
    await this.#change(id, { done });
  }

  async delete(id: string): Promise<void> {
    await this.#ledger.del(id);
  }

  async #change(id: string, fields: { text: string } | { done: boolean }): Promise<void> {
    const document = await this.#ledger.get(id);
    if (document !== undefined) await this.#ledger.put({ ...document, ...fields });
  }
}

/** Others may write what they like into the documents that they share. */
function noteOf(document: Document): Note {
  const { _id: id, text, done } = document;
  return { id, text: typeof text === 'string' ? text : '', done: done === true };
}
