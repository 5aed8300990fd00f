/**
 * Where the commits of a Merkle clock lie in its picture, as they come. Each person has a lane, and
 * each commit the column after its parents' last one. A writer's commits follow one another, so no two
 * share a place; what was written apart lies side by side, and meets in the commit that merges it.
 *
 * So many commits are kept; the ones of the first columns go first.
 */

/** What the graph asks of a commit; see `Ledger.commits`. */
export interface GraphCommit {
  readonly cid: { toString(): string };
  readonly parents: readonly { toString(): string }[];
  /** In hexadecimal: 16 digits for the ledger, others for its opening. */
  readonly writer: string;
  readonly time: number;
  readonly bytes: number;
  readonly operations: readonly GraphOperation[];
}

export interface GraphOperation {
  readonly id: string;
  readonly kind: 'put' | 'delete';
  readonly fields: readonly string[];
}

export interface CommitNode {
  readonly id: string;
  readonly parents: readonly string[];
  /** Those that are in the picture. */
  readonly children: readonly string[];
  /** Of the ledger that wrote it: the same after it was opened anew. */
  readonly ledger: string;
  readonly writer: string;
  readonly lane: number;
  readonly column: number;
  readonly time: number;
  readonly bytes: number;
  /** The first ones; `operationCount` is how many there are. */
  readonly operations: readonly GraphOperation[];
  readonly operationCount: number;
  /** When it came into the picture, on the clock of `performance.now`. */
  readonly cameAt: number;
}

/** Of a commit with more, so many are kept to be shown. */
const MAX_OPERATIONS = 24;
const MAX_LANES = 12;
const LEDGER_DIGITS = 16;

type MutableNode = CommitNode & { readonly children: string[] };

export class CommitGraph {
  readonly #maxCommits: number;
  readonly #nodesById = new Map<string, MutableNode>();
  readonly #nodesByColumn = new Map<number, MutableNode[]>();
  /** By lane: whose it is, and how many commits lie in it. */
  readonly #lanes: { ledger: string; count: number }[] = [];
  readonly #laneByLedger = new Map<string, number>();
  #firstColumn = 0;
  #lastColumn = -1;

  constructor(maxCommits = 5000) {
    this.#maxCommits = maxCommits;
  }

  get size(): number {
    return this.#nodesById.size;
  }

  /** The columns that have commits; the last one is before the first one when there are none. */
  get firstColumn(): number {
    return this.#firstColumn;
  }

  get lastColumn(): number {
    return this.#lastColumn;
  }

  /** Whose lane each one is, from the top. A lane may be shared where there are too many. */
  get lanes(): readonly string[] {
    return this.#lanes.map(({ ledger }) => ledger);
  }

  get(id: string): CommitNode | undefined {
    return this.#nodesById.get(id);
  }

  /** The lane of whoever writes as this, given to it if it has none. */
  laneOf(writer: string): number {
    const ledger = writer.slice(0, LEDGER_DIGITS);
    const known = this.#laneByLedger.get(ledger);
    if (known !== undefined) return known;
    let lane = this.#lanes.length;
    if (lane === MAX_LANES) {
      const empty = this.#lanes.findIndex(({ count }) => count === 0);
      lane = empty === -1 ? MAX_LANES - 1 : empty;
      if (empty !== -1) this.#laneByLedger.delete(this.#lanes[lane]!.ledger);
    }
    this.#lanes[lane] ??= { ledger, count: 0 };
    if (this.#lanes[lane]!.count === 0) this.#lanes[lane] = { ledger, count: 0 };
    this.#laneByLedger.set(ledger, lane);
    return lane;
  }

  /**
   * Takes commits, parents before children; those that are here already are passed over.
   * @param nowMs on the clock of `performance.now`
   */
  add(commits: Iterable<GraphCommit>, nowMs: number): void {
    for (const commit of commits) {
      const id = commit.cid.toString();
      if (this.#nodesById.has(id)) continue;
      const parents = commit.parents.map((parent) => parent.toString());
      let column = this.#firstColumn;
      for (const parent of parents) {
        const node = this.#nodesById.get(parent);
        if (node === undefined) continue;
        node.children.push(id);
        column = Math.max(column, node.column + 1);
      }
      const lane = this.laneOf(commit.writer);
      this.#lanes[lane]!.count++;
      const node: MutableNode = {
        id,
        parents,
        children: [],
        ledger: commit.writer.slice(0, LEDGER_DIGITS),
        writer: commit.writer,
        lane,
        column,
        time: commit.time,
        bytes: commit.bytes,
        operations: commit.operations.slice(0, MAX_OPERATIONS),
        operationCount: commit.operations.length,
        cameAt: nowMs,
      };
      this.#nodesById.set(id, node);
      const others = this.#nodesByColumn.get(column);
      if (others === undefined) this.#nodesByColumn.set(column, [node]);
      else others.push(node);
      this.#lastColumn = Math.max(this.#lastColumn, column);
      this.#dropOldest();
    }
  }

  /** The commits of these columns and those between them, from the left. */
  *between(first: number, last: number): Generator<CommitNode> {
    const end = Math.min(last, this.#lastColumn);
    for (let column = Math.max(first, this.#firstColumn); column <= end; column++) {
      yield* this.#nodesByColumn.get(column) ?? [];
    }
  }

  /** The commit that is met first on the way from another one: over edges, or to the next lane. */
  neighbour(id: string, way: 'parent' | 'child' | 'above' | 'below'): CommitNode | undefined {
    const from = this.#nodesById.get(id);
    if (from === undefined) return undefined;
    switch (way) {
      case 'parent':
        return this.#nearest(from, from.parents);
      case 'child':
        return this.#nearest(from, from.children);
      case 'above':
        return this.#inLane(from, -1);
      case 'below':
        return this.#inLane(from, 1);
    }
  }

  clear(): void {
    this.#nodesById.clear();
    this.#nodesByColumn.clear();
    this.#lanes.length = 0;
    this.#laneByLedger.clear();
    this.#firstColumn = 0;
    this.#lastColumn = -1;
  }

  /** Of its parents or children the one in its own lane, else the nearest one. */
  #nearest(from: CommitNode, ids: readonly string[]): CommitNode | undefined {
    let best: CommitNode | undefined;
    for (const id of ids) {
      const node = this.#nodesById.get(id);
      if (node === undefined) continue;
      if (best === undefined || distance(from, node) < distance(from, best)) best = node;
    }
    return best;
  }

  #inLane(from: CommitNode, step: 1 | -1): CommitNode | undefined {
    for (let lane = from.lane + step; this.#lanes[lane] !== undefined; lane += step) {
      const reach = Math.max(from.column - this.#firstColumn, this.#lastColumn - from.column);
      for (let away = 0; away <= reach; away++) {
        for (const column of [from.column - away, from.column + away]) {
          const node = this.#nodesByColumn.get(column)?.find((each) => each.lane === lane);
          if (node !== undefined) return node;
        }
      }
    }
    return undefined;
  }

  #dropOldest(): void {
    while (this.#nodesById.size > this.#maxCommits) {
      const column = this.#nodesByColumn.get(this.#firstColumn);
      const node = column?.shift();
      if (node === undefined) {
        this.#nodesByColumn.delete(this.#firstColumn);
        this.#firstColumn++;
        continue;
      }
      this.#nodesById.delete(node.id);
      this.#lanes[node.lane]!.count--;
    }
  }
}

function distance(from: CommitNode, to: CommitNode): number {
  return Math.abs(from.lane - to.lane) * 1e6 + Math.abs(from.column - to.column);
}
