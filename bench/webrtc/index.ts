import type { Side, SideTask } from './side.ts';

export type Signaling = 'none' | 'y-webrtc' | 'rxdb';

interface Entry {
  readonly signaling: Signaling;
  open(task: SideTask): Promise<Side>;
}

/** The rows that the others are compared with, the better one of each size. */
export function isBare(side: string): boolean {
  return side.startsWith('the bare data channel');
}

const KIBIBYTE = 1024;

/** All that sync over WebRTC in Node, by the name of their row. */
export const SIDES: Readonly<Record<string, Entry>> = {
  'the bare data channel, 1 MiB buffered': {
    signaling: 'none',
    open: async (task) => (await import('./bare.ts')).bareSide(task, 1024 * KIBIBYTE),
  },
  'the bare data channel, 128 KiB buffered': {
    signaling: 'none',
    open: async (task) => (await import('./bare.ts')).bareSide(task, 128 * KIBIBYTE),
  },
  'emberlink (disk)': {
    signaling: 'none',
    open: async (task) => (await import('./emberlink.ts')).emberlinkSide(task, 'disk'),
  },
  'emberlink (memory)': {
    signaling: 'none',
    open: async (task) => (await import('./emberlink.ts')).emberlinkSide(task, 'memory'),
  },
  'y-webrtc': {
    signaling: 'y-webrtc',
    open: async (task) => (await import('./y-webrtc.ts')).yWebrtcSide(task),
  },
  'rxdb (WebRTC plugin, batch 20 as by default)': {
    signaling: 'rxdb',
    open: async (task) => (await import('./rxdb.ts')).rxdbSide(task, 20),
  },
  'rxdb (WebRTC plugin, batch 500)': {
    signaling: 'rxdb',
    open: async (task) => (await import('./rxdb.ts')).rxdbSide(task, 500),
  },
};

/** The rows that begin with one of the names, behind the bare channels; all of them without a name. */
export function sidesNamed(names: readonly string[]): string[] {
  const isNamed = (side: string): boolean => names.some((name) => side.startsWith(name));
  return Object.keys(SIDES).filter((side) => isBare(side) || names.length === 0 || isNamed(side));
}
