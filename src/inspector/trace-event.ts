import type { CID } from 'multiformats/cid';
interface Base { readonly session: number; readonly peer: string | undefined; readonly at: number }
export type TraceEvent =
  | (Base & { readonly kind: 'opened' })
  | (Base & { readonly kind: 'closed'; readonly error: Error | undefined })
  | (Base & { readonly kind: 'message'; readonly direction: 'in' | 'out'; readonly type: string; readonly bytes: number })
  | (Base & { readonly kind: 'difference'; readonly how: 'equal' | 'sketch' | 'list' | 'snapshot'; readonly lackedHere: { count: number|undefined; cids: readonly CID[] }; readonly lackedThere: { count: number|undefined; cids: readonly CID[] } })
  | (Base & { readonly kind: 'blocks'; readonly direction: 'in' | 'out'; readonly cids: readonly CID[]; readonly bytes: number })
  | (Base & { readonly kind: 'acknowledged'; readonly blocks: number });
export const traceSync = (_source: unknown, _listener: (event: TraceEvent) => void): (() => void) => () => {};
