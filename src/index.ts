/** The front door: all that the doors have. */
export * from './doors/ledger.ts';
export * from './doors/room.ts';
export * from './doors/sync.ts';
