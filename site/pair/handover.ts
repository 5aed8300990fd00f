/** What a tab says to the others of this browser. */
type Word =
  | { readonly kind: 'brought'; readonly id: string; readonly text: string }
  | { readonly kind: 'taken' | 'own-offer'; readonly id: string };

/** What became of a text that a link brought into a tab of its own. */
export type Reception = 'taken' | 'own-offer' | 'nobody';

const CHANNEL = 'emberlink pairing';
/** A tab in the background may be slow to wake. */
const ANSWER_WITHIN_MS = 600;

/** Takes what links bring into other tabs of this browser to the tab that waits for it. */
export class Handover {
  readonly #channel = new BroadcastChannel(CHANNEL);

  /** @param take uses a text if this tab waits for it */
  constructor(take: (text: string) => Reception) {
    this.#channel.addEventListener('message', ({ data }: MessageEvent<Word>) => {
      if (data.kind !== 'brought') return;
      const reception = take(data.text);
      if (reception !== 'nobody') this.#say({ kind: reception, id: data.id });
    });
  }

  /** Asks the other tabs to use a text. */
  offer(text: string): Promise<Reception> {
    const id = crypto.getRandomValues(new Uint32Array(2)).join('-');
    return new Promise((resolve) => {
      const settle = (reception: Reception): void => {
        clearTimeout(timer);
        this.#channel.removeEventListener('message', hear);
        resolve(reception);
      };
      const hear = ({ data }: MessageEvent<Word>): void => {
        if (data.id === id && data.kind !== 'brought') settle(data.kind);
      };
      const timer = setTimeout(() => settle('nobody'), ANSWER_WITHIN_MS);
      this.#channel.addEventListener('message', hear);
      this.#say({ kind: 'brought', id, text });
    });
  }

  #say(word: Word): void {
    this.#channel.postMessage(word);
  }
}
