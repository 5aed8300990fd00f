import type { SessionState, SyncProgress } from './protocol/session.ts';

/** What people are told of a session that goes on. */
export type SessionStatus =
  /** Connected; each side gets what it lacks. */
  | { readonly state: 'syncing'; readonly progress: SyncProgress }
  /** Both hold what the other had; writes travel as they happen. */
  | { readonly state: 'live' };

const NOTHING = { blocks: 0, bytes: 0 };

export const NO_PROGRESS: SyncProgress = {
  sent: NOTHING,
  toSend: NOTHING,
  received: NOTHING,
  toReceive: NOTHING,
};

/** Undefined at its end, of which more is known when its channel is closed too: from `run`. */
export function sessionStatus(state: SessionState): SessionStatus | undefined {
  switch (state.kind) {
    case 'greeting':
    case 'comparing':
      return { state: 'syncing', progress: NO_PROGRESS };
    case 'syncing':
      return { state: 'syncing', progress: state.progress };
    case 'live':
      return { state: 'live' };
    case 'ended':
      return undefined;
  }
}
