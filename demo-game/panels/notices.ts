import { element } from '../../site/shared/element.ts';
import { markIcon } from '../marks.ts';

const MOST = 3;
const SHOWN_MS = 4500;

/** Says over the field, and to those who hear the page, what has just happened. */
export class Notices {
  readonly #place = element('notices');

  /** @param colour whose mark stands before the words */
  tell(words: string, colour?: number): void {
    const notice = document.createElement('p');
    notice.className = 'notice';
    if (colour !== undefined) notice.append(markIcon(colour));
    notice.append(words);
    this.#place.append(notice);
    while (this.#place.children.length > MOST) this.#place.firstElementChild!.remove();
    setTimeout(() => notice.remove(), SHOWN_MS);
  }
}
