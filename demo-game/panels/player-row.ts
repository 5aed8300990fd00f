import { markIcon } from '../marks.ts';

/** A player in a list: mark, name, and something to count. */
export function playerRow(): PlayerRow {
  const element = document.createElement('li');
  const name = span('player-name');
  const note = span('player-note');
  const tiles = span('player-tiles');
  element.className = 'player';
  element.append(markIcon(0), name, note, tiles);
  let shown = '';
  return {
    element,
    show(player) {
      const words = JSON.stringify(player);
      // Most of the time nothing is new.
      if (words === shown) return;
      shown = words;
      element.firstElementChild!.replaceWith(markIcon(player.colour));
      element.classList.toggle('me', player.isMe === true);
      element.classList.toggle('away', player.note === 'away');
      name.textContent = player.name;
      note.textContent = player.note ?? '';
      tiles.textContent = String(player.count);
    },
  };
}

export interface PlayerRow {
  readonly element: HTMLLIElement;
  show(player: {
    readonly name: string;
    readonly colour: number;
    readonly count: number | string;
    readonly note?: string;
    readonly isMe?: boolean;
  }): void;
}

function span(className: string): HTMLSpanElement {
  const element = document.createElement('span');
  element.className = className;
  return element;
}
