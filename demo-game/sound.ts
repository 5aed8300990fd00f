import type { GameEvent, Scene } from './scene.ts';

const LOWEST_HZ = 196;
/** Of a scale in which all tones go together, one for each colour, in semitones. */
const SCALE = [0, 3, 5, 7, 10, 12, 15, 17];
const VOLUME = 0.5;
/** Tiles are taken faster than tones can be told apart. */
const LEAST_GAP_S = 0.055;
const ECHO_S = 0.23;

/** The sounds of the game, made while it is played. Browsers let no page sound before one has touched it. */
export class Sound {
  #context: AudioContext | undefined;
  #out: AudioNode | undefined;
  #isOn: boolean;
  #nextTileAt = 0;
  #streak = 0;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
    for (const gesture of ['pointerdown', 'keydown']) {
      addEventListener(gesture, () => this.#wake(), { passive: true });
    }
  }

  set isOn(isOn: boolean) {
    this.#isOn = isOn;
    if (isOn) this.#wake();
    else void this.#context?.suspend();
  }

  hear(event: GameEvent, scene: Scene): void {
    if (!this.#isOn || this.#context?.state !== 'running' || document.hidden) return;
    switch (event.kind) {
      case 'tiles-taken':
        return this.#tile(scene, event.player);
      case 'loop-closed':
        return this.#loop(scene, event.player, event.tiles.length);
      case 'ember-fell':
        return this.#tone(1320, 0.25, 0.02, 0, 660);
      case 'ember-taken':
        [0, 7, 12].forEach((step, i) => this.#tone(hz(12 + step), 0.3, 0.05, i * 0.05));
        return;
      case 'round-began':
        [0, 7, 12, 19].forEach((step, i) => this.#tone(hz(step), 0.9, 0.05, i * 0.09));
        return;
      case 'round-ended':
        [19, 15, 12, 7, 0].forEach((step, i) => this.#tone(hz(step), 1.1, 0.05, i * 0.14));
        return;
      case 'merged':
        if (event.tiles.length === 0) return;
        [0, 5, 7, 12, 17, 19, 24, 29].forEach((step, i) =>
          this.#tone(hz(step), 1.6, 0.045, i * 0.11),
        );
        return;
      case 'player-came':
        [7, 12].forEach((step, i) => this.#tone(hz(step), 0.4, 0.05, i * 0.1));
        return;
      case 'player-left':
        [12, 7].forEach((step, i) => this.#tone(hz(step), 0.4, 0.04, i * 0.1));
        return;
      case 'connection':
        if (event.connection.state === 'unplugged') this.#tone(330, 0.7, 0.07, 0, 65);
        return;
      case 'chat':
        return this.#tone(hz(24), 0.15, 0.04);
      case 'results-changed':
      case 'trouble':
        return;
    }
  }

  #tile(scene: Scene, id: string): void {
    const context = this.#context!;
    const player = scene.players.find((each) => each.id === id);
    if (player === undefined || context.currentTime < this.#nextTileAt) return;
    const isMine = player.kind === 'me';
    // Others are heard from afar, and now and then.
    if (!isMine && Math.random() < 0.6) return;
    this.#streak = context.currentTime - this.#nextTileAt < 0.4 ? this.#streak + 1 : 0;
    this.#nextTileAt = context.currentTime + LEAST_GAP_S;
    const step = SCALE[player.colour % SCALE.length]! + (isMine ? 12 * (this.#streak % 2) : 0);
    this.#tone(hz(step), 0.16, isMine ? 0.028 : 0.008);
  }

  #loop(scene: Scene, id: string, size: number): void {
    const player = scene.players.find((each) => each.id === id);
    const root = SCALE[(player?.colour ?? 0) % SCALE.length]!;
    const volume = player?.kind === 'me' ? 0.05 : 0.02;
    const count = Math.min(7, 3 + Math.floor(size / 12));
    for (let i = 0; i < count; i++) this.#tone(hz(root + SCALE[i]!), 0.5, volume, i * 0.055);
  }

  /** @param toHz where it slides to */
  #tone(fromHz: number, lengthS: number, volume: number, inS = 0, toHz = fromHz): void {
    const context = this.#context!;
    const begin = context.currentTime + inS;
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.type = 'triangle';
    tone.frequency.setValueAtTime(fromHz, begin);
    if (toHz !== fromHz) tone.frequency.exponentialRampToValueAtTime(toHz, begin + lengthS);
    loudness.gain.setValueAtTime(0, begin);
    loudness.gain.linearRampToValueAtTime(volume, begin + 0.012);
    loudness.gain.exponentialRampToValueAtTime(0.0001, begin + lengthS);
    tone.connect(loudness).connect(this.#out!);
    tone.start(begin);
    tone.stop(begin + lengthS + 0.02);
  }

  #wake(): void {
    if (!this.#isOn || !('AudioContext' in globalThis)) return;
    // An arrow key is no gesture, to browsers that say what is one.
    if ((navigator.userActivation as UserActivation | undefined)?.hasBeenActive === false) return;
    if (this.#context === undefined) {
      this.#context = new AudioContext();
      this.#out = room(this.#context);
    }
    // Refused where there is no gesture; the next one asks again.
    this.#context.resume().catch(() => {});
  }
}

/** Where tones go: a little dull, with an echo. */
function room(context: AudioContext): AudioNode {
  const entrance = context.createGain();
  entrance.gain.value = VOLUME;
  const dull = context.createBiquadFilter();
  dull.type = 'lowpass';
  dull.frequency.value = 2600;
  const echo = context.createDelay(1);
  echo.delayTime.value = ECHO_S;
  const again = context.createGain();
  again.gain.value = 0.32;
  entrance.connect(dull).connect(context.destination);
  dull.connect(echo).connect(again).connect(echo);
  again.connect(context.destination);
  return entrance;
}

function hz(semitones: number): number {
  return LOWEST_HZ * 2 ** (semitones / 12);
}
