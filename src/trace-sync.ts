import { Trace, type TraceEvent } from './protocol/trace.ts';
import { replicaOf, type SyncSource } from './sync-source.ts';

/**
 * Calls the listener with all that the sessions of a ledger do in this process or page, as it happens:
 * those of Sync, of rooms and of WebSockets, from now on. What is traced is still in the course of being
 * done: a listener looks, and does not keep it waiting. Without a listener nothing is traced.
 * @param source what was given to Sync or joinRoom; a guarded replica counts as the one that it guards
 * @returns the function that ends this
 */
export function traceSync(source: SyncSource, listener: (event: TraceEvent) => void): () => void {
  return Trace.of(replicaOf(source)).subscribe(listener);
}
