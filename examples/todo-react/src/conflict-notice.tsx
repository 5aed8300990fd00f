import type { Conflict, Ledger } from 'emberlink';
import type { ReactElement } from 'react';
import { settleTodo, type Todo } from './todo.ts';

interface ConflictNoticeProps {
  readonly ledger: Ledger;
  readonly todo: Todo;
  readonly conflict: Conflict;
}

/** Says what happened in two places at once, and lets people choose. */
export function ConflictNotice({ ledger, todo, conflict }: ConflictNoticeProps): ReactElement {
  const { _id: id } = todo;
  switch (conflict.kind) {
    case 'delete':
      return (
        <div className="conflict">
          <p>Somebody deleted this while somebody else changed it.</p>
          <button type="button" onClick={() => void settleTodo(ledger, id, {})}>
            Keep it
          </button>
          <button type="button" onClick={() => void ledger.del(id)}>
            Delete it
          </button>
        </div>
      );
    case 'field':
      return (
        <div className="conflict">
          <p>Two people changed this at the same time. Which one is right?</p>
          {conflict.versions.map(({ commit, value }) => (
            <button
              key={String(commit)}
              type="button"
              onClick={() => void settleTodo(ledger, id, { [conflict.field]: value })}
            >
              {wordsFor(value)}
            </button>
          ))}
        </div>
      );
  }
}

function wordsFor(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'Done' : 'Not done';
  return `“${String(value)}”`;
}
