/**
 * Which of this browser's players in a room a tab is. Each tab is one of its own: it takes the lowest
 * slot that no other has, and the ledger of that slot. A tab that reloads, or was killed and is opened
 * again, finds its slot free, and is who it was.
 */
export interface Slot {
  readonly index: number;
  release(): void;
}

const MOST_SLOTS = 16;
/** How long a tab that reloads waits for the page that it was to let go. */
const RELOAD_MS = 2_000;

export async function takeSlot(room: string): Promise<Slot> {
  const key = `emberfield:${room}`;
  const before = remembered(key);
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return remember(key, { index: before ?? random(), release: () => {} });
  if (before !== undefined) {
    const again = await take(locks, key, before, { signal: AbortSignal.timeout(RELOAD_MS) });
    if (again !== undefined) return again;
  }
  for (let index = 0; index < MOST_SLOTS; index++) {
    const slot = await take(locks, key, index, { ifAvailable: true });
    if (slot !== undefined) return remember(key, slot);
  }
  return { index: random(), release: () => {} };
}

async function take(
  locks: LockManager,
  key: string,
  index: number,
  options: LockOptions,
): Promise<Slot | undefined> {
  return new Promise((resolve) => {
    const held = async (lock: Lock | null): Promise<void> => {
      if (lock === null) return resolve(undefined);
      await new Promise<void>((release) => resolve({ index, release }));
    };
    locks.request(`${key}:${index}`, options, held).catch(() => resolve(undefined));
  });
}

function remembered(key: string): number | undefined {
  try {
    const text = sessionStorage.getItem(key);
    return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  } catch {
    // There is none here, or it may not be used.
    return undefined;
  }
}

function remember(key: string, slot: Slot): Slot {
  try {
    sessionStorage.setItem(key, String(slot.index));
  } catch {
    // Then a reload is somebody new where there are no locks.
  }
  return slot;
}

/** Without locks: one that hardly any other tab has. */
function random(): number {
  return MOST_SLOTS + Math.floor(Math.random() * 1e6);
}
