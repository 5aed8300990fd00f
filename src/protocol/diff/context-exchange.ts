import { concatBytes } from '../../bytes.ts';
import { outOfTurn, overLimit } from '../violations.ts';

/** The longest context in bytes: that of some 200,000 writers. */
export const MAX_CONTEXT_BYTES: number = 4 * 1024 * 1024;

/**
 * How two sides learn what the other lacks when one of them holds old blocks only within a snapshot:
 * each tells the context of what it has merged. This class puts the other side's together.
 */
export class ContextExchange {
  readonly #parts: Uint8Array[] = [];
  #length = 0;
  #complete = false;

  get complete(): boolean {
    return this.#complete;
  }

  /** The whole context, when it is complete. */
  get bytes(): Uint8Array {
    return concatBytes(this.#parts);
  }

  /** @throws ProtocolError `unexpected-message` after the last part, `limit-exceeded` beyond bounds */
  accept(part: Uint8Array, last: boolean): void {
    if (this.#complete || (part.length === 0 && !last)) {
      throw outOfTurn('context: an empty part, or one after the last');
    }
    this.#length += part.length;
    if (this.#length > MAX_CONTEXT_BYTES) {
      throw overLimit(`context: more than ${MAX_CONTEXT_BYTES} bytes`);
    }
    this.#parts.push(part);
    this.#complete = last;
  }
}
