import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { joinRoom } from '../../src/join-room.ts';
import type { Room, RoomOptions } from '../../src/room.ts';
import type { Linker } from '../../src/rooms/link.ts';
import { webRtcLinker } from '../../src/rooms/webrtc-linker.ts';
import { MemoryNetwork, type MemoryNetworkOptions } from '../support/memory-linker.ts';
import { MemorySignaling } from '../support/memory-signaling.ts';
import { Random } from '../support/random.ts';

export interface Member {
  readonly ledger: Ledger;
  readonly room: Room;
}

/** A secret that needs no stretching, so that tests are quick. */
export const SECRET: Uint8Array = new Uint8Array(16).fill(7);

/** People of one process, with a server and links in memory; ends everything at its end. */
export class Party {
  readonly server: MemorySignaling = new MemorySignaling();
  readonly network: MemoryNetwork;
  /** Attempts at links that were begun, and links that came about. */
  attempts = 0;
  made = 0;
  /** What the server calls each member, by the name of its ledger. */
  readonly #addresses = new Map<string, string>();
  readonly #members: Member[] = [];
  readonly #ledgers = new Set<Ledger>();

  constructor(options: MemoryNetworkOptions = {}) {
    this.network = new MemoryNetwork(new Random(1), options);
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Resolves when each server has answered, or is known to be down. */
  async join(name: string, options: Partial<RoomOptions> = {}): Promise<Member> {
    const ledger = await openLedger(name, { storage: 'memory' });
    const member = this.enter(ledger, options);
    await answered(member.room);
    return member;
  }

  /** Another stay with a ledger that is open, by real servers and real WebRTC. */
  enterForReal(ledger: Ledger, signaling: string | readonly string[]): Member {
    return this.enter(ledger, { signaling, linker: webRtcLinker(), iceServers: [] });
  }

  /** Ends a stay, but not its ledger. */
  async leave(member: Member): Promise<void> {
    this.#members.splice(this.#members.indexOf(member), 1);
    await member.room.leave();
  }

  /** Another stay with a ledger that is open. */
  enter(ledger: Ledger, options: Partial<RoomOptions> = {}): Member {
    return this.add(ledger, joinRoom(ledger, this.optionsOf(ledger, options)));
  }

  /** What a member joins the room with. */
  optionsOf(ledger: Ledger, options: Partial<RoomOptions> = {}): RoomOptions {
    return {
      room: 'garden',
      secret: SECRET,
      signaling: this.server.adapter('memory', (address) => {
        this.#addresses.set(ledger.name, address);
      }),
      linker: this.#countingLinker(ledger.name),
      info: ledger.name,
      ...options,
    };
  }

  /** A stay that ends with this party. */
  add(ledger: Ledger, room: Room): Member {
    const member = { ledger, room };
    this.#ledgers.add(ledger);
    this.#members.push(member);
    return member;
  }

  /** From now on nothing is heard of these, by links or by the server. */
  vanish(gone: readonly Member[]): void {
    const names = gone.map(({ ledger }) => ledger.name);
    const others = this.#members.map(({ ledger }) => ledger.name);
    this.network.partition(
      names,
      others.filter((name) => !names.includes(name)),
    );
    const silent = new Set(names.map((name) => this.#addresses.get(name)));
    this.server.tamper = (each) => (silent.has(each.from) || silent.has(each.to) ? [] : [each]);
  }

  #countingLinker(name: string): Linker {
    const linker = this.network.linker(name);
    return (options) => {
      const attempt = linker(options);
      if (options.initiator) {
        this.attempts += 1;
        attempt.connected.then(() => (this.made += 1)).catch(() => {});
      }
      return attempt;
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map(({ room }) => room.leave()));
    for (const ledger of this.#ledgers) await ledger.close();
  }
}

async function answered(room: Room): Promise<void> {
  const isAsking = (): boolean =>
    room.status.signaling.some(({ status }) => status.state === 'connecting');
  while (isAsking()) await new Promise<void>((resolve) => room.subscribe(() => resolve()));
}

export async function withParty(
  test: (party: Party) => Promise<void>,
  options?: MemoryNetworkOptions,
): Promise<void> {
  const party = new Party(options);
  try {
    await test(party);
  } finally {
    await party.end();
  }
}
