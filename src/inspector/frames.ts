const UPDATE_EVERY_MS = 200;
const DRAW_EVERY_MS = 30;

/**
 * When the inspector works: in animation frames, of which a hidden page has none, and only while it is
 * on screen and something is new or moves. What is written is brought up to date a few times a second.
 */
export class Frames {
  readonly #host: Element;
  readonly #update: (nowMs: number) => void;
  readonly #draw: (nowMs: number) => boolean;
  /** After how many milliseconds what is shown is old by itself; undefined for never. */
  readonly #next: (nowMs: number) => number | undefined;
  #visibility: IntersectionObserver | undefined;
  #isVisible = false;
  #isOld = true;
  #updatedAt = Number.NEGATIVE_INFINITY;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #frame: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    host: Element,
    update: (nowMs: number) => void,
    draw: (nowMs: number) => boolean,
    next: (nowMs: number) => number | undefined,
  ) {
    this.#host = host;
    this.#update = update;
    this.#draw = draw;
    this.#next = next;
  }

  /** There is something new. */
  request(): void {
    this.#isOld = true;
    this.#ask();
  }

  start(): void {
    this.#visibility = new IntersectionObserver((entries) => {
      this.#isVisible = entries.at(-1)!.isIntersecting;
      this.#isOld = true;
      if (this.#isVisible) this.#ask();
      else this.#rest();
    });
    this.#visibility.observe(this.#host);
  }

  stop(): void {
    this.#visibility?.disconnect();
    this.#visibility = undefined;
    this.#isVisible = false;
    this.#rest();
  }

  #rest(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #ask(): void {
    if (!this.#isVisible || this.#frame !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#work(performance.now());
    });
  }

  #work(nowMs: number): void {
    const sinceUpdate = nowMs - this.#updatedAt;
    if (sinceUpdate >= (this.#next(nowMs) ?? Number.POSITIVE_INFINITY)) this.#isOld = true;
    if (this.#isOld && sinceUpdate >= UPDATE_EVERY_MS) {
      this.#isOld = false;
      this.#updatedAt = nowMs;
      this.#update(nowMs);
    }
    // Every other frame of most screens does: the app wants to draw too.
    if (nowMs - this.#drawnAt < DRAW_EVERY_MS) {
      this.#ask();
      return;
    }
    this.#drawnAt = nowMs;
    if (this.#draw(nowMs)) {
      this.#ask();
      return;
    }
    const wait = this.#isOld ? this.#updatedAt + UPDATE_EVERY_MS - nowMs : this.#next(nowMs);
    if (wait !== undefined) this.#timer = setTimeout(() => this.request(), wait);
  }
}
