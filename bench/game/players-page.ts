import type { RoundView } from '../../demo-game/scene.ts';

/** What the page of players offers to the bench that drives it. */
export interface PlayersPage {
  /**
   * Lets players join the room of an address, who steer somewhere else now and then.
   * @returns the link to their room
   */
  sit(seats: Seats): Promise<string>;
  /** With how many others each of them is in sync, at least. */
  others(): number;
  phase(): RoundView;
  /** Begins to note what passes before the first of them. */
  begin(): void;
  end(): Passed;

  /** A data channel beside the game, from the page that offers to the one that answers. */
  offer(): Promise<string>;
  answer(offer: string): Promise<string>;
  /** @returns of each message that came back half the time that it took, in milliseconds */
  ping(answer: string, pings: Pings): Promise<number[]>;
}

export interface Seats {
  readonly address: string;
  readonly signaling: string;
  readonly count: number;
  /** Whether their ledgers are stored in the browser, as those of real players are. */
  readonly isKept: boolean;
}

export interface Pings {
  readonly bytes: number;
  readonly count: number;
  readonly everyMs: number;
}

export interface Passed {
  readonly tiles: TakenTile[];
  /** From sending to hearing, by the machine's clock, which counts whole milliseconds. */
  readonly positionsMs: number[];
}

/** A tile that has become somebody's on the field that one sees. */
export interface TakenTile {
  readonly round: number;
  readonly tile: number;
  readonly isOwn: boolean;
  /** By the machine's clock, in milliseconds since 1970. */
  readonly at: number;
}

declare global {
  var players: PlayersPage;
}
