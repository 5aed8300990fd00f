/** A page that draws scenes of our own making, for measuring what a frame costs. */
import { Stage } from '../../../demo-game/draw/stage.ts';
import { SceneMaker } from '../../game/scene-maker.ts';

const canvas = document.createElement('canvas');
canvas.setAttribute('style', 'position: fixed; inset: 0; width: 100%; height: 100%');
document.body.append(canvas);
const stage = new Stage(canvas, {
  hasPatterns: location.search.includes('patterns'),
  isCalm: false,
});
const maker = new SceneMaker(8, (event) => stage.show(event));
const costs: number[] = [];
const frameTimes: number[] = [];

function frame(nowMs: number): void {
  const scene = maker.scene(nowMs);
  const begin = performance.now();
  stage.paint(scene, nowMs);
  costs.push(performance.now() - begin);
  frameTimes.push(nowMs);
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

Object.assign(globalThis, { maker, stage, costs, frameTimes });
