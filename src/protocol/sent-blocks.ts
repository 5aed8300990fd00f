import type { Block } from '../blocks.ts';
import type { SessionTrace } from './trace.ts';

/** Tells of the blocks of an outgoing CAR which were sent whole and which are stored, to those who trace. */
export class SentBlocks {
  readonly #trace: SessionTrace;
  /** With the place in the CAR where each ends: not sent yet, and not stored yet. */
  #packed: { readonly block: Block; readonly end: number }[] = [];
  #sent: number[] = [];

  constructor(trace: SessionTrace) {
    this.#trace = trace;
  }

  /** The block ends at this place of the CAR. */
  packed(block: Block, end: number): void {
    if (this.#trace.isHeard) this.#packed.push({ block, end });
  }

  /** The CAR is sent up to this place. */
  sent(end: number): void {
    if (this.#packed.length === 0) return;
    const whole = this.#packed.filter((packed) => packed.end <= end);
    if (whole.length === 0) return;
    this.#packed = this.#packed.slice(whole.length);
    for (const packed of whole) this.#sent.push(packed.end);
    this.#trace.tell({
      kind: 'blocks',
      direction: 'out',
      cids: whole.map(({ block }) => block.cid),
      bytes: whole.reduce((sum, { block }) => sum + block.bytes.length, 0),
    });
  }

  /** The other side has stored the CAR up to this place. */
  stored(end: number): void {
    if (this.#sent.length === 0) return;
    const waiting = this.#sent.filter((each) => each > end);
    const blocks = this.#sent.length - waiting.length;
    this.#sent = waiting;
    if (blocks > 0) this.#trace.tell({ kind: 'acknowledged', blocks });
  }
}
