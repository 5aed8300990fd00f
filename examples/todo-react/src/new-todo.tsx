import type { Ledger } from 'emberlink';
import { type FormEvent, type ReactElement, useState } from 'react';
import { addTodo } from './todo.ts';

interface NewTodoProps {
  /** Not there while it opens. */
  readonly ledger?: Ledger;
}

export function NewTodo({ ledger }: NewTodoProps): ReactElement {
  const [title, setTitle] = useState('');
  const add = (event: FormEvent): void => {
    event.preventDefault();
    if (ledger === undefined || title.trim() === '') return;
    setTitle('');
    void addTodo(ledger, title.trim());
  };
  return (
    <form className="new" onSubmit={add}>
      <input
        aria-label="New todo"
        placeholder="What needs doing?"
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <button type="submit" disabled={ledger === undefined || title.trim() === ''}>
        Add
      </button>
    </form>
  );
}
