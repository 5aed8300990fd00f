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

  /** @param joined called with the address of whoever joins by it */
  adapter(name = 'memory', joined: (address: string) => void = () => {}): SignalingAdapter {
    return {
      name,
      join: (options, events) => {
        joined(addressOf(options));
        return this.#join(options, events);
      },
    };
  }

  /** Delivers an envelope that nobody has sent. */
  deliver({ room, from, to, data }: Envelope): void {
    if (!this.#down) this.#rooms.get(room)?.get(to)?.message(from, data);
  }

  /** Tells a member that this address has entered. */
  enter(room: string, to: string, address: string): void {
    this.#rooms.get(room)?.get(to)?.entered(address);
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

  #join(options: SignalingJoin, events: SignalingEvents): SignalingMembership {
    const { room } = options;
    const address = addressOf(options);
    queueMicrotask(() => {
      const members = this.#rooms.get(room) ?? new Map<string, SignalingEvents>();
      this.#rooms.set(room, members);
      if (this.#down) {
        events.status({ state: 'waiting', retryMs: 0, error: new Error('down') });
      } else {
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

function addressOf({ proof }: SignalingJoin): string {
  return proof.slice(0, 22);
}

function others(members: ReadonlyMap<string, unknown>, address: string): string[] {
  return [...members.keys()].filter((each) => each !== address);
}
