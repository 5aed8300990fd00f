import type { LinkAttempt, Linker, LinkOptions, LinkSignal } from '../../src/rooms/link.ts';
import type { Random } from './random.ts';
import type { UdpRelay } from './udp-relay.ts';

export interface SignalPathOptions {
  /** Each copy of a signal takes up to this long, so their order is anybody's guess. Default 0. */
  readonly maxDelayMs?: number;
  /** How many copies arrive. Default 1. */
  readonly copies?: number;
  /** Which signals get lost. Default none. */
  readonly isLost?: (signal: LinkSignal, from: 'alice' | 'bob') => boolean;
  /** Puts the relay between both sides. */
  readonly relay?: UdpRelay;
}

export interface Attempts {
  /** The initiator. */
  readonly alice: LinkAttempt;
  readonly bob: LinkAttempt;
  /** What each side told so far. */
  readonly told: { readonly alice: LinkSignal[]; readonly bob: LinkSignal[] };
}

/**
 * The two attempts of a link, whose signals go by a path with these faults.
 * @param linker of both sides, or of each
 */
export function openAttempts(
  linker: Linker | { readonly alice: Linker; readonly bob: Linker },
  random: Random,
  path: SignalPathOptions = {},
  options: Partial<LinkOptions> = {},
): Attempts {
  const { maxDelayMs = 0, copies = 1, isLost = () => false, relay } = path;
  const told = { alice: [] as LinkSignal[], bob: [] as LinkSignal[] };
  const linkers = typeof linker === 'function' ? { alice: linker, bob: linker } : linker;
  const side = (from: 'alice' | 'bob', other: () => LinkAttempt): LinkAttempt =>
    linkers[from]({
      iceServers: [],
      connectTimeoutMs: 20_000,
      ...options,
      initiator: from === 'alice',
      tell: (signal) => {
        told[from].push(signal);
        const passed = relay === undefined ? signal : throughRelay(relay, from, signal);
        if (passed === undefined || isLost(signal, from)) return;
        for (let copy = 0; copy < copies; copy++) {
          setTimeout(() => hear(other(), passed), random.below(maxDelayMs + 1));
        }
      },
    });
  const alice = side('alice', () => bob);
  const bob = side('bob', () => alice);
  return { alice, bob, told };
}

/** One that has ended hears nothing more; everything else is a fault. */
function hear(attempt: LinkAttempt, signal: LinkSignal): void {
  try {
    attempt.hear(signal);
  } catch (error) {
    if (!(error instanceof Error) || error.message !== 'the link has ended') throw error;
  }
}

function throughRelay(
  relay: UdpRelay,
  from: 'alice' | 'bob',
  signal: LinkSignal,
): LinkSignal | undefined {
  const content = JSON.parse(signal.text) as { candidate?: string };
  if (content.candidate === undefined) return signal;
  const candidate = relay.rewriteCandidate(from, content.candidate);
  if (candidate === undefined) return undefined;
  return { ...signal, text: JSON.stringify({ ...content, candidate }) };
}
