import { ConnectionError } from '../../src/errors.ts';
import type { Link, LinkAttempt, Linker, LinkOptions, Port } from '../../src/rooms/link.ts';
import type { Channel, ChannelHandlers } from '../../src/protocol/channel.ts';
import { createMemoryChannelPair, type MemoryChannel } from '../../src/transports/memory.ts';

/** Links in memory between members of one process. */
export class MemoryNetwork {
  /** How many links have been made. */
  made = 0;
  /** How many attempts were begun by initiators. */
  attempts = 0;
  /** From and to these nothing gets through, and nobody is told. */
  readonly vanished: Set<string> = new Set();
  readonly #offers = new Map<string, Attempt>();
  readonly #links: { readonly names: readonly string[]; readonly end: () => void }[] = [];

  /** Makes links for the member of this name. */
  linkerOf(name: string): Linker {
    return (options) => {
      const attempt = new Attempt(this, name, options);
      if (!options.initiator) return attempt;
      const offer = `offer ${this.attempts++}`;
      this.#offers.set(offer, attempt);
      options.tell({ number: 0, text: offer });
      return attempt;
    };
  }

  /** The link of these two breaks, and both notice. */
  cut(alice: string, bob: string): void {
    for (const { names, end } of this.#links) {
      if (names.includes(alice) && names.includes(bob)) end();
    }
  }

  /** @internal */
  answer(offer: string, answering: Attempt): void {
    const offering = this.#offers.get(offer);
    if (offering === undefined || this.isSilent([offering.name, answering.name])) return;
    this.#offers.delete(offer);
    const pairs = [0, 1, 2].map(() => createMemoryChannelPair());
    const names = [offering.name, answering.name];
    this.made += 1;
    offering.stand(
      pairs.map(([channel]) => channel),
      names,
    );
    answering.stand(
      pairs.map(([, channel]) => channel),
      names,
    );
    this.#links.push({ names, end: () => offering.destroy(new Error('cut')) });
  }

  /** @internal */
  isSilent(names: readonly string[]): boolean {
    return names.some((name) => this.vanished.has(name));
  }
}

class Attempt implements LinkAttempt {
  readonly connected: Promise<Link>;
  readonly name: string;
  readonly #network: MemoryNetwork;
  readonly #options: LinkOptions;
  readonly #timer: ReturnType<typeof setTimeout>;
  #settle!: { resolve: (link: Link) => void; reject: (error: Error) => void };
  #channels: readonly MemoryChannel[] = [];
  #over = false;

  constructor(network: MemoryNetwork, name: string, options: LinkOptions) {
    this.#network = network;
    this.name = name;
    this.#options = options;
    this.connected = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.connected.catch(() => {});
    const timeout = new ConnectionError('connect-timeout', 'no link in time');
    this.#timer = setTimeout(() => this.destroy(timeout), options.connectTimeoutMs);
  }

  hear({ text }: { readonly text: string }): void {
    if (!this.#options.initiator && this.#channels.length === 0) this.#network.answer(text, this);
  }

  restart(): void {}

  destroy(error?: Error): void {
    clearTimeout(this.#timer);
    this.#over = true;
    this.#settle.reject(error ?? new ConnectionError('closed', 'the link was closed'));
    for (const channel of this.#channels) channel.destroy(error);
  }

  /** @internal */
  stand(channels: readonly MemoryChannel[], names: readonly string[]): void {
    clearTimeout(this.#timer);
    this.#channels = channels;
    if (this.#over) for (const channel of channels) channel.destroy();
    const [channel, control, datagrams] = channels.map((each) => this.#muted(each, names));
    this.#settle.resolve({
      channel: channel!,
      control: portOf(control!),
      datagrams: portOf(datagrams!),
    });
  }

  /** Of those that have vanished nothing is heard, not even an end. */
  #muted(channel: MemoryChannel, names: readonly string[]): Channel {
    const isSilent = (): boolean => this.#network.isSilent(names);
    return new Proxy<Channel>(channel, {
      get(target, name) {
        if (name === 'send' && isSilent()) return () => {};
        if (name === 'start') {
          return (handlers: ChannelHandlers) => {
            target.start({
              frame: (each) => {
                if (!isSilent()) handlers.frame(each);
              },
              closed: (error) => handlers.closed(error),
            });
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }
}

function portOf(channel: Channel): Port {
  return {
    send(message) {
      try {
        channel.send(message);
        return true;
      } catch {
        return false;
      }
    },
    listen(handler) {
      channel.start({ frame: (frame) => handler(frame as Uint8Array), closed: () => {} });
    },
  };
}
