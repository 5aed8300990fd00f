import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import { joinRoom, type Room, type RoomOptions } from '../../src/room.ts';
import { MemoryNetwork } from '../support/memory-linker.ts';
import { MemorySignaling } from '../support/memory-signaling.ts';

export interface Member {
  readonly ledger: Ledger;
  readonly room: Room;
}

/** A secret that needs no stretching, so that tests are quick. */
export const SECRET: Uint8Array = new Uint8Array(16).fill(7);

/** People of one process, with a server and links in memory; ends everything at its end. */
export class Party {
  readonly server: MemorySignaling = new MemorySignaling();
  readonly network: MemoryNetwork = new MemoryNetwork();
  /** What the server calls each member, by the name of its ledger. */
  readonly addressOf: Map<string, string> = new Map();
  readonly #members: Member[] = [];

  get members(): readonly Member[] {
    return this.#members;
  }

  async join(name: string, options: Partial<RoomOptions> = {}): Promise<Member> {
    const ledger = await openLedger(name, { storage: 'memory' });
    return this.enter(ledger, options);
  }

  /** Another stay with a ledger that is open. */
  enter(ledger: Ledger, options: Partial<RoomOptions> = {}): Member {
    const room = joinRoom(ledger, {
      room: 'garden',
      secret: SECRET,
      signaling: this.server.adapter('memory', (address) => {
        this.addressOf.set(ledger.name, address);
      }),
      linker: this.network.linkerOf(ledger.name),
      info: ledger.name,
      ...options,
    });
    const member = { ledger, room };
    this.#members.push(member);
    return member;
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map(({ room }) => room.leave()));
    for (const { ledger } of this.#members) await ledger.close();
  }
}

export async function withParty(test: (party: Party) => Promise<void>): Promise<void> {
  const party = new Party();
  try {
    await test(party);
  } finally {
    await party.end();
  }
}
