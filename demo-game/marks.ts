import { COLOURS } from './colours.ts';

/**
 * The shapes of sparks, one for each colour, for those who cannot tell colours: paths in a box of 24 by 24.
 * The pictures, the panels and the patterns on tiles are all made of them.
 */
export const MARKS: readonly { readonly name: string; readonly path: string }[] = [
  { name: 'disc', path: 'M12 3a9 9 0 1 0 .01 0z' },
  { name: 'triangle', path: 'M12 2.5 22.5 20.5h-21z' },
  { name: 'square', path: 'M4 4h16v16H4z' },
  { name: 'diamond', path: 'M12 1 21 12 12 23 3 12z' },
  {
    name: 'star',
    path: 'M12 1.5l3 7 7.6.7-5.7 5 1.7 7.4L12 17.7l-6.6 3.9 1.7-7.4-5.7-5 7.6-.7z',
  },
  { name: 'cross', path: 'M8.5 2.5h7v6h6v7h-6v6h-7v-6h-6v-7h6z' },
  { name: 'ring', path: 'M12 2a10 10 0 1 0 .01 0zM12 7.5a4.5 4.5 0 1 1-.01 0z' },
  { name: 'moon', path: 'M15.5 2.2a10 10 0 1 0 6 14.3 8 8 0 1 1-6-14.3z' },
];

const SVG = 'http://www.w3.org/2000/svg';

/** A mark in the colour of its player, beside whose name it stands. */
export function markIcon(colour: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'mark');
  svg.setAttribute('aria-hidden', 'true');
  svg.style.color = COLOURS[colour]?.value ?? '';
  const shape = document.createElementNS(SVG, 'path');
  shape.setAttribute('d', markOf(colour).path);
  svg.append(shape);
  return svg;
}

export function markOf(colour: number): (typeof MARKS)[number] {
  return MARKS[colour % MARKS.length]!;
}
