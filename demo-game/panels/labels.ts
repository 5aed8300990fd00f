import { element } from '../../site/shared/element.ts';
import type { View } from '../draw/camera.ts';
import type { Scene } from '../scene.ts';

/** Above the spark, in tiles. */
const RAISED = 1.5;

/** Names that glide along with the sparks of others. */
export class Labels {
  readonly #place = element('labels');
  readonly #tags = new Map<string, HTMLElement>();

  place({ players }: Scene, view: View): void {
    for (const [id, tag] of this.#tags) {
      if (players.some((player) => player.id === id && player.spark !== undefined)) continue;
      tag.remove();
      this.#tags.delete(id);
    }
    for (const { id, kind, name, spark } of players) {
      if (kind === 'me' || spark === undefined) continue;
      let tag = this.#tags.get(id);
      if (tag === undefined) {
        tag = document.createElement('span');
        tag.className = 'name-tag';
        this.#tags.set(id, tag);
        this.#place.append(tag);
      }
      if (tag.textContent !== name) tag.textContent = name;
      const x = (spark.x - view.left) * view.scale;
      const y = (spark.y - RAISED - view.top) * view.scale;
      tag.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, -100%)`;
    }
  }
}
