import { expect, test } from 'vitest';
import { emberRain } from '../../demo-game/ember-rain.ts';
import { FAST_SPEED, glide, type Spark } from '../../demo-game/glide.ts';
import { LiveField } from '../../demo-game/live-field.ts';
import { LARGEST_LOOP, Loops } from '../../demo-game/loops.ts';
import { ranking } from '../../demo-game/ranking.ts';
import { SharedClock } from '../../demo-game/shared-clock.ts';
import { Track } from '../../demo-game/track.ts';
import {
  CHUNK_TILES,
  CHUNKS,
  chunkOf,
  COLUMNS,
  forBrush,
  placeInChunk,
  ROWS,
  startPlace,
  tileInChunk,
  TILES,
  tileUnder,
} from '../../demo-game/world.ts';
import { forSeeds, type Random } from '../support/random.ts';

function sparkAt(x: number, y: number, heading: number): Spark {
  return { x, y, heading, fastMs: 0, wideMs: 0 };
}

function somewhere(random: Random): Spark {
  const heading = random.below(6283) / 1000 - Math.PI;
  return sparkAt(1 + random.below(COLUMNS - 2), 1 + random.below(ROWS - 2), heading);
}

const column = (tile: number): number => tile % COLUMNS;
const row = (tile: number): number => Math.floor(tile / COLUMNS);

test('every tile lies in one place of one chunk', () => {
  const places = new Set<string>();
  for (let tile = 0; tile < TILES; tile++) {
    expect(tileInChunk(chunkOf(tile), placeInChunk(tile))).toBe(tile);
    expect(chunkOf(tile)).toBeLessThan(CHUNKS);
    expect(placeInChunk(tile)).toBeLessThan(CHUNK_TILES);
    places.add(`${chunkOf(tile)} ${placeInChunk(tile)}`);
  }
  expect(places.size).toBe(TILES);
});

test('a spark stays on the field, passes over no tile, and moves on whatever it runs into', () =>
  forSeeds(50, (random) => {
    const spark = somewhere(random);
    spark.fastMs = random.below(3000);
    let tile = tileUnder(spark.x, spark.y);
    for (let frame = 0; frame < 200; frame++) {
      const wanted = random.oneIn(3) ? undefined : random.below(6283) / 1000 - Math.PI;
      const before = { ...spark };
      const durationMs = 1 + random.below(60);
      glide(spark, wanted, durationMs, (next) => {
        expect(Math.abs(column(next) - column(tile))).toBeLessThanOrEqual(1);
        expect(Math.abs(row(next) - row(tile))).toBeLessThanOrEqual(1);
        tile = next;
      });
      expect(tile).toBe(tileUnder(spark.x, spark.y));
      expect(spark.x > 0 && spark.x < COLUMNS && spark.y > 0 && spark.y < ROWS).toBe(true);
      const moved = Math.hypot(spark.x - before.x, spark.y - before.y);
      expect(moved).toBeLessThanOrEqual((FAST_SPEED * durationMs) / 1000 + 1e-9);
    }
    // Straight on into a wall it slides along, and stands nowhere.
    glide(spark, undefined, 10_000, () => {});
    const { x, y } = spark;
    glide(spark, undefined, 300, () => {});
    expect(Math.hypot(spark.x - x, spark.y - y)).toBeGreaterThan(0.5);
  }));

test('a spark turns the shorter way, bit by bit, until it has the heading', () => {
  const spark = sparkAt(24, 16, 3);
  glide(spark, -3, 16, () => {});
  expect(Math.abs(spark.heading)).toBeGreaterThan(3);
  glide(spark, -3, 500, () => {});
  expect(spark.heading).toBeCloseTo(-3);
});

test('a wide brush burns all around, within the field', () => {
  const burnt = (tile: number, wide: boolean): number[] => {
    const tiles: number[] = [];
    forBrush(tile, wide, (each) => tiles.push(each));
    return tiles;
  };
  expect(burnt(50, false)).toEqual([50]);
  expect(burnt(50, true)).toEqual([1, 2, 3, 49, 50, 51, 97, 98, 99]);
  expect(burnt(0, true)).toEqual([0, 1, 48, 49]);
});

test('what is enclosed is what reaches neither the border nor too far', () =>
  forSeeds(40, (random) => {
    const owners = new Uint8Array(TILES);
    const share = 2 + random.below(3);
    for (let tile = 0; tile < TILES; tile++) {
      owners[tile] = random.oneIn(share) ? 2 : random.below(2);
    }
    // A frame around a larger part of the field than one loop may fill, sometimes.
    const inset = 1 + random.below(8);
    for (let tile = 0; tile < TILES; tile++) {
      const [x, y] = [column(tile), row(tile)];
      const isOnFrame =
        ((x === inset || x === COLUMNS - 1 - inset) && y >= inset && y < ROWS - inset) ||
        ((y === inset || y === ROWS - 1 - inset) && x >= inset && x < COLUMNS - inset);
      if (isOnFrame && share > 2) owners[tile] = 2;
    }
    // Another way to say it: all that is connected comes to have one name, that of the border or of
    // its first tile.
    const BORDER = -1;
    const names = Array.from(owners.keys());
    for (let changed = true; changed;) {
      changed = false;
      for (let tile = 0; tile < TILES; tile++) {
        if (owners[tile] === 2) continue;
        const [x, y] = [column(tile), row(tile)];
        const isAtBorder = x === 0 || y === 0 || x === COLUMNS - 1 || y === ROWS - 1;
        const around = isAtBorder
          ? [BORDER]
          : [tile - 1, tile + 1, tile - COLUMNS, tile + COLUMNS]
              .filter((next) => owners[next] !== 2)
              .map((next) => names[next]!);
        const name = Math.min(names[tile]!, ...around);
        if (name === names[tile]) continue;
        names[tile] = name;
        changed = true;
      }
    }
    const sizes = new Map<number, number>();
    for (const [tile, name] of names.entries()) {
      if (owners[tile] !== 2) sizes.set(name, (sizes.get(name) ?? 0) + 1);
    }
    const expected = [...owners.keys()].filter(
      (tile) =>
        owners[tile] !== 2 && names[tile] !== BORDER && sizes.get(names[tile]!)! <= LARGEST_LOOP,
    );
    const found = new Loops().enclosedBy(2, owners);
    expect(found.sort((a, b) => a - b)).toEqual(expected);
  }));

test('who circles the whole field has but the circle', () => {
  const owners = new Uint8Array(TILES);
  for (let tile = 0; tile < TILES; tile++) {
    const [x, y] = [column(tile), row(tile)];
    if (x === 0 || y === 0 || x === COLUMNS - 1 || y === ROWS - 1) owners[tile] = 1;
  }
  expect(new Loops().enclosedBy(1, owners)).toEqual([]);
});

test('a loop closes over its corners, and takes what others have in it', () => {
  const owners = new Uint8Array(TILES);
  const middle = 10 * COLUMNS + 10;
  for (const tile of [middle - 1, middle + 1, middle - COLUMNS, middle + COLUMNS]) owners[tile] = 1;
  owners[middle] = 2;
  expect(new Loops().enclosedBy(1, owners)).toEqual([middle]);
  // A side of the field closes nothing.
  const wall = new Uint8Array(TILES);
  for (let y = 0; y < ROWS; y++) wall[y * COLUMNS + 20] = 1;
  expect(new Loops().enclosedBy(1, wall)).toEqual([]);
});

test('embers of one seed fall alike everywhere, within the field and the round', () =>
  forSeeds(20, (random) => {
    const seed = random.below(2 ** 31);
    const rain = emberRain(seed, 60_000);
    expect(rain).toEqual(emberRain(seed, 60_000));
    expect(rain).not.toEqual(emberRain(seed + 1, 60_000));
    expect(rain.length).toBeGreaterThan(10);
    for (const [at, { index, x, y, fallsAtMs }] of rain.entries()) {
      expect(index).toBe(at);
      expect(x > 0 && x < COLUMNS && y > 0 && y < ROWS).toBe(true);
      expect(fallsAtMs >= (rain[at - 1]?.fallsAtMs ?? 0) && fallsAtMs < 60_000).toBe(true);
    }
  }));

test('most tiles win; of equals the smaller id; none is no place', () => {
  const counts = new Map([
    ['c', 3],
    ['b', 7],
    ['a', 3],
    ['d', 0],
  ]);
  expect(ranking(counts)).toEqual([
    ['b', 7],
    ['a', 3],
    ['c', 3],
  ]);
});

test('eight start places lie apart from each other', () => {
  const places = Array.from({ length: 8 }, (_, index) => startPlace(index));
  for (const [at, one] of places.entries()) {
    for (const other of places.slice(0, at)) {
      expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThan(5);
    }
  }
});

test('the shown field is the ledger’s word, but for claims that it does not have yet', () =>
  forSeeds(30, (random) => {
    const field = new LiveField();
    field.reset(['me', 'you']);
    const word = new Map<number, string>();
    const claims = new Map<number, number>();
    for (let step = 0; step < 400; step++) {
      const tile = random.below(12);
      if (random.oneIn(3)) {
        claims.set(tile, field.claim(tile, 1, step));
      } else if (random.oneIn(2)) {
        const player = random.pick(['me', 'you', 'they']);
        word.set(tile, player);
        field.hear(tile, player, step);
      } else if (claims.has(tile)) {
        // An older ticket is of an older claim.
        expect(field.settle(tile, claims.get(tile)! - 1, step)).toBe(false);
        field.settle(tile, claims.get(tile)!, step);
        claims.delete(tile);
      }
      const shown = field.roster[field.owners[tile]! - 1];
      expect(shown).toBe(claims.has(tile) ? 'me' : word.get(tile));
    }
    for (const [index, player] of field.roster.entries()) {
      const tiles = [...field.owners].filter((owner) => owner === index + 1).length;
      expect(field.tilesOf(index + 1), player).toBe(tiles);
    }
  }));

test('clocks that are wrong agree on one time, as far as they hear each other', () =>
  forSeeds(30, (random) => {
    let trueTime = 1_800_000_000_000;
    const offsets = Array.from(
      { length: 2 + random.below(6) },
      () => random.below(60_000) - 30_000,
    );
    const clocks = offsets.map((offset) => new SharedClock(() => trueTime + offset));
    for (let round = 0; round < 20; round++) {
      for (const [to, clock] of clocks.entries()) {
        for (const [from, offset] of offsets.entries()) {
          if (from === to) continue;
          // Late by half a round trip, and often by more.
          const lateMs = 20 + (random.oneIn(3) ? random.below(200) : 0);
          clock.hear(String(from), trueTime + offset - lateMs, 40);
        }
      }
      trueTime += 40;
    }
    const times = clocks.map((clock) => clock.now());
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(60);
    // One clock that is right is as good as any: nobody is moved beyond the others.
    const middle = times[0]! - trueTime;
    expect(middle).toBeGreaterThanOrEqual(Math.min(...offsets) - 60);
    expect(middle).toBeLessThanOrEqual(Math.max(...offsets) + 60);
  }));

test('time does not leap when everybody else goes, nor for somebody of another age', () => {
  const clock = new SharedClock(() => 1_000_000);
  clock.hear('bob', 1_010_000, 0);
  expect(clock.now()).toBe(1_005_000);
  clock.keepOnly(new Set());
  expect(clock.now()).toBe(1_005_000);
  clock.hear('mallory', 1e15, 0);
  clock.hear('mallory', Number.NaN, 0);
  expect(clock.now()).toBe(1_005_000);
});

test('another’s spark glides smoothly between readings that come unevenly', () =>
  forSeeds(20, (random) => {
    const track = new Track();
    const shown = sparkAt(0, 0, 0);
    expect(track.at(0, shown)).toBe(false);
    const way = sparkAt(10, 16, 0);
    const arrivals: { at: number; sentAt: number; spark: Spark }[] = [];
    for (let sentAt = 0; sentAt < 3000; sentAt += 40) {
      glide(way, undefined, 40, () => {});
      arrivals.push({
        at: sentAt + 30 + random.below(50),
        sentAt: 1e6 + sentAt,
        spark: { ...way },
      });
    }
    arrivals.sort((a, b) => a.at - b.at);
    let last: number | undefined;
    for (let nowMs = 0; nowMs < 3000; nowMs += 16) {
      while (arrivals[0] !== undefined && arrivals[0].at <= nowMs) {
        const { at, sentAt, spark } = arrivals.shift()!;
        track.hear(spark, sentAt, at);
      }
      if (!track.at(nowMs, shown) || nowMs < 500) continue;
      const moved = last === undefined ? undefined : shown.x - last;
      // Along the wall it turns off; until then it goes on at about its speed.
      if (moved !== undefined && shown.x < COLUMNS - 2) {
        expect(moved).toBeGreaterThan(0);
        expect(moved).toBeLessThan(0.3);
      }
      last = shown.x;
    }
  }));
