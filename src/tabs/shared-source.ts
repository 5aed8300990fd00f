import { RoomError } from '../errors.ts';
import type { TabEnvironment } from './environment.ts';

/** A ledger that several tabs have open: they are in a room together. */
export interface SharedSource {
  readonly id: Uint8Array;
  readonly tabs: TabEnvironment;
  /** Calls the listener when this tab has the ledger no more. */
  onClosed(listener: () => void): void;
}

export function isSharedSource(source: object): source is SharedSource {
  return 'tabs' in source && 'onClosed' in source;
}

/** Why a stay in a room ends when such a ledger does. */
export function ledgerClosed(): RoomError {
  return new RoomError('left', 'the room was left because its ledger was closed');
}
