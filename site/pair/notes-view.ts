import { copyOf, element, part } from '../shared/element.ts';
import type { Note, Notes } from './notes.ts';

/** How long a note that came from the other side stays marked. */
const ARRIVED_MS = 2500;

/** The list as people see and change it; newest first. */
export class NotesView {
  readonly #notes: Notes;
  readonly #rows = new Map<string, NoteRow>();
  readonly #list = element('notes');
  readonly #said = element('said');
  readonly #fail: (error: unknown) => void;

  /** @param fail is told what a write threw */
  constructor(notes: Notes, fail: (error: unknown) => void) {
    this.#notes = notes;
    this.#fail = fail;
    notes.subscribe((changed, origin) => this.#show(changed, origin));
    const form = element('new-note', HTMLFormElement);
    const input = element('new-note-text', HTMLInputElement);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === '') return;
      input.value = '';
      this.#do(notes.add(text));
    });
  }

  async fill(): Promise<void> {
    for (const note of await this.#notes.all()) this.#show(note, 'local');
    this.#count();
  }

  #show(changed: Note | string, origin: 'local' | 'remote'): void {
    if (typeof changed === 'string') this.#remove(changed);
    else this.#put(changed, origin);
    this.#count();
  }

  #put(note: Note, origin: 'local' | 'remote'): void {
    let row = this.#rows.get(note.id);
    if (row === undefined) {
      row = new NoteRow(note, {
        tick: (done) => this.#do(this.#notes.setDone(note.id, done)),
        write: (text) => this.#do(this.#notes.setText(note.id, text)),
        remove: () => this.#do(this.#notes.delete(note.id)),
      });
      this.#rows.set(note.id, row);
      this.#list.insertBefore(row.element, this.#rowBehind(note.id));
    }
    row.show(note);
    if (origin === 'local') return;
    row.markArrived();
    this.#said.textContent = `From the other side: ${note.text}${note.done ? ', done' : ''}`;
  }

  #rowBehind(id: string): HTMLElement | null {
    let next: string | undefined;
    for (const each of this.#rows.keys()) {
      if (each < id && (next === undefined || each > next)) next = each;
    }
    return next === undefined ? null : this.#rows.get(next)!.element;
  }

  #remove(id: string): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    const hadFocus = row.element.contains(document.activeElement);
    this.#rows.delete(id);
    row.element.remove();
    // Else the keyboard would begin at the top again.
    if (hadFocus) element('new-note-text').focus();
  }

  #count(): void {
    const rows = [...this.#rows.values()];
    const done = rows.filter((row) => row.isDone).length;
    const notes = rows.length === 1 ? '1 note' : `${rows.length} notes`;
    element('count').textContent = done === 0 ? notes : `${notes}, ${done} done`;
    element('no-notes').hidden = rows.length > 0;
  }

  #do(write: Promise<void>): void {
    write.catch(this.#fail);
  }
}

interface NoteActions {
  readonly tick: (done: boolean) => void;
  readonly write: (text: string) => void;
  readonly remove: () => void;
}

class NoteRow {
  readonly element: HTMLElement = copyOf('note');
  readonly #tick: HTMLInputElement = part(this.element, 'note-done', HTMLInputElement);
  readonly #text: HTMLElement = part(this.element, 'note-text');
  readonly #edit: HTMLButtonElement = part(this.element, 'note-edit', HTMLButtonElement);
  readonly #remove: HTMLButtonElement = part(this.element, 'note-delete', HTMLButtonElement);
  readonly #form: HTMLFormElement = part(this.element, 'note-form', HTMLFormElement);
  readonly #input: HTMLInputElement = part(this.element, 'note-input', HTMLInputElement);
  #note: Note;
  #arrived: ReturnType<typeof setTimeout> | undefined;

  constructor(note: Note, { tick, write, remove }: NoteActions) {
    this.#note = note;
    this.#tick.addEventListener('change', () => tick(this.#tick.checked));
    this.#remove.addEventListener('click', remove);
    this.#edit.addEventListener('click', () => this.#setEditing(true));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text !== '' && text !== this.#note.text) write(text);
      this.#setEditing(false);
    });
    this.#input.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#setEditing(false);
    });
  }

  get isDone(): boolean {
    return this.#note.done;
  }

  show(note: Note): void {
    this.#note = note;
    this.#tick.checked = note.done;
    this.#text.textContent = note.text;
    this.element.classList.toggle('done', note.done);
    this.#edit.setAttribute('aria-label', `Edit “${note.text}”`);
    this.#remove.setAttribute('aria-label', `Delete “${note.text}”`);
  }

  markArrived(): void {
    clearTimeout(this.#arrived);
    this.element.classList.add('arrived');
    this.#arrived = setTimeout(() => this.element.classList.remove('arrived'), ARRIVED_MS);
  }

  #setEditing(isEditing: boolean): void {
    this.element.classList.toggle('editing', isEditing);
    this.#form.hidden = !isEditing;
    if (isEditing) {
      this.#input.value = this.#note.text;
      this.#input.focus();
    } else {
      this.#edit.focus();
    }
  }
}
