/**
 * A picture of commits and their parents in text, newest first, one row per commit: each lane (a
 * column) leads down to one commit that is still to come. Rows of connectors stand where lanes meet
 * (before a commit that several lanes led to) and where they part (after a commit of several parents).
 */

export interface GraphNode {
  readonly id: string;
  readonly parents: readonly string[];
}

export interface GraphRow {
  /** Connectors above the commit, if any. */
  readonly above: string | undefined;
  readonly commit: string;
  /** Connectors below it, if any. */
  readonly below: string | undefined;
}

/** Wider pictures are cut. */
const MAX_LANES = 16;

/** @param nodes children before their parents; a parent that never comes keeps its lane to the end */
export function drawGraph(nodes: readonly GraphNode[]): GraphRow[] {
  /** The id that each lane leads to; undefined for a free one. */
  const lanes: (string | undefined)[] = [];
  return nodes.map(({ id, parents }) => {
    const meeting = lanes.flatMap((awaited, lane) => (awaited === id ? [lane] : []));
    const own = meeting.shift() ?? freeLane(lanes, 0);
    const above = meeting.length === 0 ? undefined : connect(lanes, own, meeting, 'meet');
    for (const lane of meeting) lanes[lane] = undefined;

    lanes[own] = id;
    const commit = drawLanes(lanes, (lane) => (lane === own ? '●' : undefined));

    const [first, ...others] = new Set(parents);
    lanes[own] = first;
    const parting: number[] = [];
    const opened = new Set<number>();
    for (const parent of others) {
      let lane = lanes.indexOf(parent);
      if (lane === -1) {
        lane = freeLane(lanes, own + 1);
        opened.add(lane);
        lanes[lane] = parent;
      }
      parting.push(lane);
    }
    const below = parting.length === 0 ? undefined : connect(lanes, own, parting, 'part', opened);
    while (lanes.length > 0 && lanes.at(-1) === undefined) lanes.pop();
    return { above, commit, below };
  });
}

function freeLane(lanes: readonly (string | undefined)[], from: number): number {
  for (let lane = from; lane < lanes.length; lane++) if (lanes[lane] === undefined) return lane;
  return Math.max(from, lanes.length);
}

/** A row that joins the commit's own lane with others. */
function connect(
  lanes: readonly (string | undefined)[],
  own: number,
  others: readonly number[],
  how: 'meet' | 'part',
  opened: ReadonlySet<number> = new Set(),
): string {
  const leftmost = Math.min(own, ...others);
  const rightmost = Math.max(own, ...others);
  const corner = (lane: number): string => {
    const left = lane > leftmost;
    const right = lane < rightmost;
    // A lane ends where it meets, begins where it was opened, and else goes on.
    if (how === 'meet' && lane !== own) return right ? '┴' : '╯';
    if (opened.has(lane)) return right ? '┬' : '╮';
    if (left && right) return '┼';
    return left ? '┤' : '├';
  };
  return drawLanes(
    lanes,
    (lane) => {
      if (lane === own || others.includes(lane)) return corner(lane);
      if (lane < leftmost || lane > rightmost) return undefined;
      return lanes[lane] === undefined ? '─' : '┼';
    },
    (lane) => lane >= leftmost && lane < rightmost,
  );
}

function drawLanes(
  lanes: readonly (string | undefined)[],
  mark: (lane: number) => string | undefined,
  line: (lane: number) => boolean = () => false,
): string {
  let row = '';
  for (const [lane, awaited] of lanes.slice(0, MAX_LANES).entries()) {
    row += mark(lane) ?? (awaited === undefined ? ' ' : '│');
    row += line(lane) ? '─' : ' ';
  }
  return lanes.length > MAX_LANES ? `${row}…` : row.trimEnd();
}
