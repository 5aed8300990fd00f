import { speedOf, type Spark } from './glide.ts';
import { turned } from './world.ts';

/** Others are shown as they were so long ago, when the readings around that moment are here. */
export const DELAY_MS = 100;
/** When readings fail to come a spark glides on for so long, and then stands. */
const GUESS_MS = 180;
const READINGS = 32;
/** Nobody glides so far between two readings, in tiles: it has been put there. */
const LEAP = 5;

interface Reading extends Spark {
  /** On the clock of who sent it. */
  at: number;
}

/** Where another's spark was, read some 25 times a second, and where it is between the readings. */
export class Track {
  /** The newest is the last. */
  readonly #readings: Reading[] = [];
  /** What their clock is ahead of ours, for the reading that was least late. */
  #ahead = Number.NEGATIVE_INFINITY;
  /** On our clock. */
  heardAt: number = Number.NEGATIVE_INFINITY;

  /** @param at when it was sent, on their clock */
  hear(spark: Spark, at: number, nowMs: number): void {
    this.heardAt = nowMs;
    const last = this.#readings.at(-1);
    if (last !== undefined && at <= last.at) {
      // Late; or their clock was set back, and all that we know is of another time.
      if (last.at - at < 1000) return;
      this.#readings.length = 0;
      this.#ahead = Number.NEGATIVE_INFINITY;
    }
    const ahead = at - nowMs;
    // It creeps back, since clocks drift and ways grow longer.
    this.#ahead = ahead > this.#ahead ? ahead : this.#ahead + (ahead - this.#ahead) * 0.01;
    const reading = this.#readings.length < READINGS ? { ...spark, at } : this.#readings.shift()!;
    copy(spark, reading);
    reading.at = at;
    this.#readings.push(reading);
  }

  /** Writes where it is now into `spark`; false when nothing was heard yet. */
  at(nowMs: number, spark: Spark): boolean {
    const readings = this.#readings;
    const newest = readings.at(-1);
    if (newest === undefined) return false;
    const moment = nowMs + this.#ahead - DELAY_MS;
    let index = readings.length - 1;
    while (index > 0 && readings[index]!.at > moment) index--;
    const before = readings[index]!;
    const after = readings[index + 1];
    copy(before, spark);
    if (after === undefined) {
      const seconds = Math.min(GUESS_MS, Math.max(0, moment - before.at)) / 1000;
      spark.x += Math.cos(before.heading) * speedOf(before) * seconds;
      spark.y += Math.sin(before.heading) * speedOf(before) * seconds;
      return true;
    }
    const isLeap = Math.hypot(after.x - before.x, after.y - before.y) > LEAP;
    const part = isLeap
      ? 1
      : Math.min(1, Math.max(0, (moment - before.at) / (after.at - before.at)));
    spark.x += (after.x - before.x) * part;
    spark.y += (after.y - before.y) * part;
    spark.heading = turned(before.heading + turned(after.heading - before.heading) * part);
    return true;
  }
}

function copy(from: Spark, to: Spark): void {
  to.x = from.x;
  to.y = from.y;
  to.heading = from.heading;
  to.fastMs = from.fastMs;
  to.wideMs = from.wideMs;
}
