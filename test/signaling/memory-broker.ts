import type {
  Broker,
  BrokerCounts,
  BrokerListener,
  RoomWord,
  ServerWord,
} from '../../signaling/broker.ts';

/** A bus between servers of one process. Words arrive after the event that they tell of is over. */
export class MemoryBus {
  readonly #brokers = new Set<MemoryBroker>();

  connect(): MemoryBroker {
    const broker = new MemoryBroker(this);
    this.#brokers.add(broker);
    return broker;
  }

  send(from: MemoryBroker, hear: (broker: MemoryBroker) => void): void {
    setImmediate(() => {
      for (const broker of this.#brokers) {
        if (broker !== from && broker.isUp) hear(broker);
      }
    });
  }
}

export class MemoryBroker implements Broker {
  readonly name = 'memory';
  readonly counts: BrokerCounts = { published: 0, received: 0, dropped: 0, malformed: 0 };
  readonly #bus: MemoryBus;
  readonly #rooms = new Set<string>();
  #listener: BrokerListener | undefined;
  #isUp = false;

  constructor(bus: MemoryBus) {
    this.#bus = bus;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  open(listener: BrokerListener): Promise<void> {
    this.#listener = listener;
    return this.comeBack();
  }

  /** Loses all words, its own and those of others, until it comes back. */
  goAway(): void {
    this.#isUp = false;
  }

  async comeBack(): Promise<void> {
    this.#isUp = true;
    await this.#listener?.up();
  }

  subscribe(room: string): void {
    this.#rooms.add(room);
  }

  unsubscribe(room: string): void {
    this.#rooms.delete(room);
  }

  publish(room: string, word: RoomWord): void {
    if (!this.#isUp) return;
    this.#bus.send(this, (broker) => {
      if (broker.#rooms.has(room)) broker.#listener?.hearOfRoom(room, word);
    });
  }

  announce(word: ServerWord): void {
    if (this.#isUp) this.#bus.send(this, (broker) => broker.#listener?.hearOfServer(word));
  }

  close(): Promise<void> {
    this.goAway();
    return Promise.resolve();
  }
}
