import type { Signaling } from '../webrtc/index.ts';

/** What is measured in a browser: its program in `pages/`, and the signaling server that it brings. */
interface Entry {
  readonly page: string;
  readonly signaling: Signaling;
}

export const ROWS: Readonly<Record<string, Entry>> = {
  emberlink: { page: 'emberlink', signaling: 'none' },
  'yjs (y-indexeddb, y-webrtc)': { page: 'yjs', signaling: 'y-webrtc' },
  'rxdb (Dexie, WebRTC plugin, batch 500)': { page: 'rxdb', signaling: 'rxdb' },
};

export function rowsNamed(names: readonly string[]): string[] {
  return Object.keys(ROWS).filter(
    (row) => names.length === 0 || names.some((name) => row.startsWith(name)),
  );
}
