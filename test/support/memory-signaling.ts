import type {
  SignalingAdapter,
  SignalingEvents,
  SignalingJoin,
  SignalingMembership,
} from '../../src/rooms/signaling.ts';

/** An envelope on its way; a hostile server does what it likes with it. */
export interface Envelope {
  readonly room: string;
  readonly from: string;
  readonly to: string;
  readonly data: string;
}

/** A signaling server in memory, honest unless told otherwise. */
export class MemorySignaling {
  /** All envelopes that were sent, as its operator sees them. */
  readonly log: Envelope[] = [];
  /** What is delivered instead of each envelope. */
  tamper: (envelope: Envelope) => readonly Envelope[] = (envelope) => [envelope];
  readonly #rooms = new Map<string, Map<string, SignalingEvents>>();
  #down = false;

  adapter(name = 'memory'): SignalingAdapter {
    return { name, join: (options, events) => this.#join(options, events) };
  }

  /** Delivers an envelope that nobody has sent. */
  deliver({ room, from, to, data }: Envelope): void {
    if (!this.#down) this.#rooms.get(room)?.get(to)?.message(from, data);
  }

  /** Nothing gets through, and everybody is told that the server is gone; or it is back. */
  setDown(down: boolean): void {
    this.#down = down;
    for (const members of this.#rooms.values()) {
      for (const [address, events] of members) {
        if (down) {
          events.status({ state: 'waiting', retryMs: 0, error: new Error('down') });
        } else {
          events.status({ state: 'joined' });
          events.joined(others(members, address), undefined);
        }
      }
    }
  }

  #join({ room, proof }: SignalingJoin, events: SignalingEvents): SignalingMembership {
    const address = proof.slice(0, 22);
    queueMicrotask(() => {
      const members = this.#rooms.get(room) ?? new Map<string, SignalingEvents>();
      this.#rooms.set(room, members);
      if (!this.#down) {
        events.status({ state: 'joined' });
        events.joined(others(members, address), undefined);
        for (const each of members.values()) each.entered(address);
      }
      members.set(address, events);
    });
    return {
      send: (to, data) => {
        if (this.#down) return;
        const envelope = { room, from: address, to, data };
        this.log.push(envelope);
        for (const each of this.tamper(envelope)) setTimeout(() => this.deliver(each), 0);
      },
      wake: () => {},
      leave: () => {
        const members = this.#rooms.get(room);
        members?.delete(address);
        if (!this.#down) for (const each of members?.values() ?? []) each.left(address);
      },
    };
  }
}

function others(members: ReadonlyMap<string, unknown>, address: string): string[] {
  return [...members.keys()].filter((each) => each !== address);
}
