import { useLedger, useLiveQuery, usePresence, useRoom } from 'emberlink/react';
import { type ReactElement, useEffect } from 'react';
import { useListSecret } from './list-secret.ts';
import { NewTodo } from './new-todo.tsx';
import { Share } from './share.tsx';
import { removeDone, type Todo } from './todo.ts';
import { type Here, TodoItem } from './todo-item.tsx';

const SIGNALING: string = import.meta.env['VITE_SIGNALING'] ?? `ws://${location.hostname}:8765`;

export function App(): ReactElement {
  const secret = useListSecret();
  // One ledger in this browser for each list.
  const { ledger, error } = useLedger(`${secret}.list`);
  const { room, state } = useRoom(ledger, { room: 'todo', secret, signaling: SIGNALING });
  const { others, set } = usePresence<Here>(room);
  // Whoever shows something is here; a peer that is no person shows nothing.
  useEffect(() => set({ editing: null }), [set]);
  const { rows, state: reading } = useLiveQuery<Todo>(ledger, 'createdAt');
  const todos = rows.flatMap(({ doc }) => doc ?? []);
  const left = todos.filter(({ done }) => !done).length;
  const editedElsewhere = new Set([...others.values()].map(({ editing }) => editing));

  if (error !== undefined)
    return <p className="failure">This list cannot be opened: {error.message}</p>;
  return (
    <main>
      <header>
        <h1>To do</h1>
        <Share state={state} others={others.size} />
      </header>
      <NewTodo ledger={ledger} />
      <ul className="todos">
        {ledger !== undefined &&
          todos.map((todo) => (
            <TodoItem
              key={todo._id}
              ledger={ledger}
              todo={todo}
              isEditedElsewhere={editedElsewhere.has(todo._id)}
              show={set}
            />
          ))}
      </ul>
      {reading === 'ready' && todos.length === 0 && (
        <p className="empty">Nothing to do. Write something above, or enjoy it.</p>
      )}
      {todos.length > 0 && (
        <footer>
          <span>{left === 0 ? 'All done' : `${left} of ${todos.length} left`}</span>
          {ledger !== undefined && left < todos.length && (
            <button type="button" className="quiet" onClick={() => void removeDone(ledger, todos)}>
              Clear what is done
            </button>
          )}
        </footer>
      )}
    </main>
  );
}
