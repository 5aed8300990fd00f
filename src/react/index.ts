/**
 * Hooks for React.
 * @module emberlink/react
 */
export { useAllDocs, type AllDocsRow } from './use-all-docs.ts';
export { useDocument, type DocumentState } from './use-document.ts';
export { useLedger, type LedgerState } from './use-ledger.ts';
export { useLiveQuery, type LiveQueryOptions, type LiveQueryRow } from './use-live-query.ts';
export { usePeers } from './use-peers.ts';
export { usePresence, type PresenceState } from './use-presence.ts';
export { useRoom, type RoomState } from './use-room.ts';
export type { RowsState } from './rows.ts';
