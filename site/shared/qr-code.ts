import encodeQR from 'qr';

const SVG = 'http://www.w3.org/2000/svg';
/** What the standard asks for. */
const QUIET_MODULES = 4;

/**
 * A picture of a QR code. Error correction is low: a screen has no dirt on it, and fewer, larger
 * modules are what cameras read from afar.
 */
export function qrCode(text: string, label: string): SVGSVGElement {
  const modules = encodeQR(text, 'raw', { ecc: 'low', border: QUIET_MODULES });
  const size = modules.length;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('shape-rendering', 'crispEdges');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const runs = modules.flatMap((row, y) =>
    runsOf(row).map(([x, length]) => `M${x} ${y}h${length}`),
  );
  svg.append(path(`M0 0h${size}v${size}H0z`, 'paper'), path(runs.join(''), 'ink'));
  return svg;
}

function path(d: string, className: string): SVGPathElement {
  const shape = document.createElementNS(SVG, 'path');
  shape.setAttribute('d', d);
  shape.setAttribute('class', className);
  return shape;
}

/** Where dark modules begin in a row, and how many follow. */
function runsOf(row: readonly boolean[]): [number, number][] {
  const runs: [number, number][] = [];
  row.forEach((isDark, x) => {
    if (!isDark) return;
    if (row[x - 1] === true) runs.at(-1)![1]++;
    else runs.push([x, 1]);
  });
  return runs;
}
