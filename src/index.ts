/**
 * The front door: all that `emberlink/ledger`, `emberlink/sync` and `emberlink/room` have.
 * @module emberlink
 */
export * from './doors/ledger.ts';
export * from './doors/room.ts';
export * from './doors/sync.ts';
