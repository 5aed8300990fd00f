import type { Document, Ledger } from 'emberlink';

export interface Todo extends Document {
  readonly title: string;
  readonly done: boolean;
  /** In milliseconds since 1970. */
  readonly createdAt: number;
}

export async function addTodo(ledger: Ledger, title: string): Promise<void> {
  const _id = `todo:${crypto.randomUUID()}`;
  await ledger.put({ _id, title, done: false, createdAt: Date.now() });
}

/** Only the fields that differ are written: what others change at the same time stays. */
export async function changeTodo(
  ledger: Ledger,
  id: string,
  fields: Partial<Pick<Todo, 'title' | 'done'>>,
): Promise<void> {
  const todo = await ledger.get(id);
  if (todo !== undefined) await ledger.put({ ...todo, ...fields });
}

/** Settles what was written in two places at once. */
export async function settleTodo(
  ledger: Ledger,
  id: string,
  fields: Partial<Pick<Todo, 'title' | 'done'>>,
): Promise<void> {
  const todo = await ledger.get(id);
  if (todo !== undefined) await ledger.put({ ...todo, ...fields }, { resolve: true });
}

export async function removeDone(ledger: Ledger, todos: readonly Todo[]): Promise<void> {
  await Promise.all(todos.filter(({ done }) => done).map(({ _id }) => ledger.del(_id)));
}
