const LIGHT = `
  color-scheme: light;
  --paper: #f6f2ec;
  --card: #ffffff;
  --ink: #241d17;
  --quiet: #665a4e;
  --line: #e2d8cc;
  --field: #8f8376;
  --accent: #ad3808;
  --on-accent: #ffffff;
  --glow: #fdeee2;
  --good: #1c6b45;
  --bad: #a32020;
  --mine: #c25a00;
  --theirs: #0b74b5;
`;
const DARK = `
  color-scheme: dark;
  --paper: #120e0b;
  --card: #1c1713;
  --ink: #f3ece4;
  --quiet: #b5a898;
  --line: #372e27;
  --field: #84776a;
  --accent: #ff9d63;
  --on-accent: #2a1206;
  --glow: #3a2415;
  --good: #7fd3a8;
  --bad: #ff9c94;
  --mine: #ff9d42;
  --theirs: #5cc0f5;
`;

/** The inspector's looks. Apps may set its font, and `theme` on the element: `dark` or `light`. */
export const STYLES: string = `
:host {
  ${LIGHT}
  display: block;
  container-type: inline-size;
  background: var(--paper);
  color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif;
}
@media (prefers-color-scheme: dark) {
  :host(:not([theme='light'])) { ${DARK} }
}
:host([theme='dark']) { ${DARK} }
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
h2, h3, p, ul, dl, dd, fieldset, article { margin: 0; padding: 0; border: 0; min-width: 0; }
ul { list-style: none; }
.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.quiet { color: var(--quiet); }
.all { display: grid; gap: 10px; padding: 10px; }
header { display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline; padding: 2px 4px; }
header strong { font-size: 15px; letter-spacing: -0.01em; }
header .dot {
  display: inline-block;
  width: 9px;
  height: 9px;
  margin-right: 6px;
  border-radius: 50%;
  background: var(--field);
}
header .dot[data-state='live'] { background: var(--good); box-shadow: 0 0 8px var(--good); }
header .dot[data-state='syncing'], header .dot[data-state='connecting'] { background: var(--accent); }
.panel {
  min-width: 0;
  border: 1px solid var(--line);
  border-radius: 12px;
  background: var(--card);
  overflow: clip;
}
.panel > summary {
  display: flex;
  align-items: center;
  min-height: 38px;
  padding: 4px 12px;
  cursor: pointer;
  list-style: none;
}
.panel > summary::-webkit-details-marker { display: none; }
.panel > summary::before {
  content: '';
  width: 6px;
  height: 6px;
  margin: 0 9px 0 1px;
  border: solid var(--quiet);
  border-width: 0 2px 2px 0;
  transform: rotate(-45deg);
}
.panel[open] > summary::before { transform: translateY(-2px) rotate(45deg); }
h2 { font-size: 13px; font-weight: 650; letter-spacing: 0.01em; }
h3 { font-size: 13px; font-weight: 600; }
.body { display: grid; gap: 8px; padding: 0 12px 12px; }
.body > * { min-width: 0; }
code { font: 12px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 4px 8px 4px 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-top: 0; color: var(--quiet); font-size: 12px; font-weight: 500; }
tbody th { font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
caption { padding-bottom: 2px; text-align: left; font-weight: 600; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.number .quiet { font-size: 12px; white-space: normal; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.state { color: var(--quiet); font-size: 12px; }
.state::before {
  content: '';
  display: inline-block;
  width: 7px;
  height: 7px;
  margin-right: 5px;
  border-radius: 50%;
  background: var(--field);
}
.state[data-state='live']::before, .state[data-state='linked']::before { background: var(--good); }
.state[data-state='syncing']::before, .state[data-state='connecting']::before { background: var(--accent); }
.state[data-state='refused']::before { background: var(--bad); }
.spark { display: block; width: 100%; min-width: 70px; height: 34px; }
.spark polyline { fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.spark .in, circle.theirs { stroke: var(--theirs); }
.spark .out, circle.mine { stroke: var(--mine); }
.tools, .kinds { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.gap { flex: 1; }
button, .button, select, input[type='search'] {
  min-height: 28px;
  padding: 3px 10px;
  border: 1px solid var(--field);
  border-radius: 8px;
  background: transparent;
  color: var(--ink);
  font: inherit;
  font-size: 13px;
  text-decoration: none;
}
select { background: var(--card); max-width: 10rem; }
input[type='search'] { flex: 1; min-width: 7rem; }
input::placeholder { color: var(--quiet); opacity: 1; }
button, .button, .chip, summary { cursor: pointer; }
button:hover, .button:hover { border-color: var(--accent); color: var(--accent); }
button[aria-pressed='true'] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button:disabled { opacity: 0.6; cursor: default; }
input[type='checkbox'], input[type='radio'], input[type='range'] { accent-color: var(--accent); }
input[type='radio'] { width: 18px; height: 18px; margin: 3px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.panel > summary:focus-visible, .scroller:focus-visible { outline-offset: -3px; }
.canvas { display: block; width: 100%; border-radius: 8px; touch-action: pan-y; }
.clock .canvas { cursor: crosshair; }
.scroll { width: 100%; height: 24px; margin: -4px 0 0; }
.details { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; }
dt { color: var(--quiet); }
dd { overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(70px, 1fr)); gap: 8px; }
.tiles dt { font-size: 12px; }
.tiles dd { font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums; }
.differences, .conflicts { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 270px), 1fr)); }
article { display: grid; gap: 6px; align-content: start; }
.conflict button { justify-self: start; }
.sets { width: 100%; max-width: 340px; justify-self: center; }
.sets circle { fill-opacity: 0.16; stroke-width: 2; }
circle.mine { fill: var(--mine); }
circle.theirs { fill: var(--theirs); }
.sets text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.sets .count { font-size: 17px; font-weight: 650; }
.sets .name { fill: var(--quiet); font-weight: 400; }
.cids { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: 0 10px; max-height: 160px; overflow: auto; }
.cids .mark { color: var(--quiet); font-size: 12px; }
article summary { padding: 3px 0; }
.shown { background: var(--glow); }
.shown td:first-child { box-shadow: inset 3px 0 var(--accent); }
.conflict td:first-child, .conflict th:first-child { padding-left: 8px; }
.conflict td:last-child { padding-right: 8px; }
.badge { padding: 0 6px; border-radius: 6px; background: var(--accent); color: var(--on-accent); font-size: 11px; font-weight: 600; }
.failure { color: var(--bad); }
.failure:empty { display: none; }
.chip { display: inline-flex; gap: 4px; align-items: center; min-height: 24px; padding-right: 4px; font-size: 13px; }
.chip input { width: 16px; height: 16px; margin: 0; }
.scroller, .cids { scrollbar-color: var(--field) transparent; }
.scroller { max-height: 300px; overflow: auto; border-radius: 6px; }
.log thead th { position: sticky; top: 0; background: var(--card); }
.log td { font-size: 13px; }
.log .time { color: var(--quiet); font-variant-numeric: tabular-nums; white-space: nowrap; }
.log td:not(.what) { white-space: nowrap; }
.log .what { overflow-wrap: anywhere; width: 100%; }
[data-kind='error'] { color: var(--bad); font-weight: 600; }
[data-kind='conflict'] { color: var(--accent); font-weight: 600; }
@container (max-width: 479px) {
  .wide { display: none; }
  th, td { padding-right: 6px; }
  input[type='search'] { flex-basis: 100%; }
}
@container (min-width: 760px) {
  .all { grid-template-columns: repeat(6, 1fr); }
  .panel, header { grid-column: 1 / -1; }
  .flight, .difference { grid-column: span 3; }
}
@container (min-width: 960px) {
  .peers { grid-column: span 4; }
  .storage { grid-column: span 2; }
}
`;
