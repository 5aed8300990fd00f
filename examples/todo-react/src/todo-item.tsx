import type { Ledger } from 'emberlink';
import { useDocument } from 'emberlink/react';
import { type KeyboardEvent, memo, type ReactElement, useState } from 'react';
import { ConflictNotice } from './conflict-notice.tsx';
import { changeTodo, type Todo } from './todo.ts';

/** What members show each other. */
export interface Here {
  /** The id of the todo that is being edited. */
  readonly editing: string | null;
}

interface TodoItemProps {
  readonly ledger: Ledger;
  readonly todo: Todo;
  readonly isEditedElsewhere: boolean;
  readonly show: (here: Here) => void;
}

export const TodoItem = memo(
  ({ ledger, todo, isEditedElsewhere, show }: TodoItemProps): ReactElement => {
    const { _id: id, title, done } = todo;
    const { conflicts } = useDocument<Todo>(ledger, id);
    /** What stands in the field while it is edited. */
    const [draft, setDraft] = useState<string | undefined>(undefined);

    const edit = (text: string | undefined): void => {
      setDraft(text);
      show({ editing: text === undefined ? null : id });
    };
    const save = (): void => {
      const text = draft?.trim() ?? '';
      edit(undefined);
      if (text !== '' && text !== title) void changeTodo(ledger, id, { title: text });
    };
    const onKey = ({ key }: KeyboardEvent): void => {
      if (key === 'Enter') save();
      if (key === 'Escape') edit(undefined);
    };

    return (
      <li className={done ? 'todo done' : 'todo'}>
        <div className="line">
          <input
            type="checkbox"
            aria-label={`Done: ${title}`}
            checked={done}
            onChange={() => void changeTodo(ledger, id, { done: !done })}
          />
          {draft === undefined ? (
            <button type="button" className="title" title="Edit" onClick={() => edit(title)}>
              {title}
            </button>
          ) : (
            <input
              className="title"
              aria-label={`Edit: ${title}`}
              value={draft}
              autoFocus
              onChange={(event) => setDraft(event.target.value)}
              onBlur={save}
              onKeyDown={onKey}
            />
          )}
          {isEditedElsewhere && <span className="editing">is being edited</span>}
          <button
            type="button"
            className="delete"
            aria-label={`Delete: ${title}`}
            onClick={() => void ledger.del(id)}
          >
            ×
          </button>
        </div>
        {conflicts.map((conflict) => (
          <ConflictNotice
            key={conflict.kind === 'field' ? conflict.field : ''}
            ledger={ledger}
            todo={todo}
            conflict={conflict}
          />
        ))}
      </li>
    );
  },
);
