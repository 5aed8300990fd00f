import type { Broker, BrokerWord } from '../../signaling/broker.ts';

type Listener = (word: BrokerWord) => void;

/** A bus between servers of one process. Words arrive after the event that they tell of is over. */
export class MemoryBus {
  readonly #listenersByRoom = new Map<string, Map<MemoryBroker, Listener>>();

  connect(): MemoryBroker {
    return new MemoryBroker(this);
  }

  add(broker: MemoryBroker, room: string, listener: Listener): () => void {
    const listeners = this.#listenersByRoom.get(room) ?? new Map<MemoryBroker, Listener>();
    this.#listenersByRoom.set(room, listeners.set(broker, listener));
    return () => listeners.delete(broker);
  }

  publish(from: MemoryBroker, room: string, word: BrokerWord): void {
    setImmediate(() => {
      for (const [broker, listener] of this.#listenersByRoom.get(room) ?? []) {
        if (broker !== from && broker.isUp) listener(word);
      }
    });
  }
}

export class MemoryBroker implements Broker {
  readonly name = 'memory';
  isUp = true;
  readonly #bus: MemoryBus;

  constructor(bus: MemoryBus) {
    this.#bus = bus;
  }

  subscribe(room: string, listener: Listener): () => void {
    return this.#bus.add(this, room, listener);
  }

  publish(room: string, word: BrokerWord): void {
    if (this.isUp) this.#bus.publish(this, room, word);
  }

  close(): Promise<void> {
    this.isUp = false;
    return Promise.resolve();
  }
}
