import { expect, test } from 'vitest';
import { takeSlot } from '../../../demo-game/slot.ts';

/** As in a tab that was opened by itself; one that was duplicated has what the first remembers. */
async function inNewTab(room: string): Promise<Awaited<ReturnType<typeof takeSlot>>> {
  sessionStorage.clear();
  return takeSlot(room);
}

test('each tab takes the lowest slot that is free, and one that reloads gets its own again', async () => {
  const room = `room${Date.now()}`;
  const first = await inNewTab(room);
  const second = await inNewTab(room);
  const third = await inNewTab(room);
  expect([first.index, second.index, third.index]).toEqual([0, 1, 2]);
  expect((await inNewTab(`${room}x`)).index).toBe(0);

  // The second reloads while the first has gone too: the page before it lets go a little later.
  first.release();
  sessionStorage.setItem(`emberfield:${room}`, '1');
  setTimeout(() => second.release(), 300);
  expect((await takeSlot(room)).index).toBe(1);

  // A duplicate of the third finds that slot taken, and takes another.
  sessionStorage.setItem(`emberfield:${room}`, '2');
  expect((await takeSlot(room)).index).toBe(0);
});
