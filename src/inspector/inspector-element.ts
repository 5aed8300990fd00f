import type { Ledger, Room } from '../index.ts';
import { Inspector } from './inspector.ts';
import { STYLES } from './styles.ts';

/** The name of the element. */
export const INSPECTOR_TAG = 'emberlink-inspector';

/**
 * `<emberlink-inspector>`: shows what happens in a ledger and a room while it is in a page. It works
 * only while it is there and on screen. The attribute `theme`, `dark` or `light`, takes the place of
 * what the reader's system asks for.
 */
export interface InspectorElement extends HTMLElement {
  /** What is looked at; nothing is shown without one. */
  ledger: Ledger | undefined;
  /** The stay in a room through which the ledger is synced, if there is one; it may change. */
  room: Room | undefined;
  /** Without buttons that write into the ledger. Default false. Also as an attribute. */
  readonly: boolean;
}

declare global {
  interface HTMLElementTagNameMap {
    'emberlink-inspector': InspectorElement;
  }
}

const OWN_PROPERTIES = ['ledger', 'room', 'readonly'] as const;

/** Makes `<emberlink-inspector>` known to the page. Later calls do nothing. */
export function defineInspector(): void {
  if (customElements.get(INSPECTOR_TAG) === undefined) {
    customElements.define(INSPECTOR_TAG, makeElementClass());
  }
}

/** Where there is no page, as in Node, there is no class to extend: so it is made when it is wanted. */
function makeElementClass(): CustomElementConstructor {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLES);

  return class extends HTMLElement implements InspectorElement {
    static readonly observedAttributes: readonly string[] = ['theme', 'readonly'];
    readonly #shadow: ShadowRoot;
    #ledger: Ledger | undefined;
    #room: Room | undefined;
    #inspector: Inspector | undefined;

    constructor() {
      super();
      this.#shadow = this.attachShadow({ mode: 'open' });
      this.#shadow.adoptedStyleSheets = [sheet];
    }

    get ledger(): Ledger | undefined {
      return this.#ledger;
    }

    set ledger(ledger: Ledger | undefined) {
      if (ledger === this.#ledger) return;
      this.#ledger = ledger;
      this.#makeAnew();
    }

    get room(): Room | undefined {
      return this.#room;
    }

    set room(room: Room | undefined) {
      this.#room = room;
      if (this.#inspector !== undefined && this.isConnected) {
        this.#inspector.observation.room = room;
      }
    }

    get readonly(): boolean {
      return this.hasAttribute('readonly');
    }

    set readonly(readonly: boolean) {
      this.toggleAttribute('readonly', readonly);
    }

    connectedCallback(): void {
      for (const name of OWN_PROPERTIES) this.#upgrade(name);
      this.#begin();
    }

    disconnectedCallback(): void {
      this.#inspector?.stop();
    }

    attributeChangedCallback(name: string): void {
      if (name === 'readonly') this.#makeAnew();
      else this.#inspector?.theme.refresh();
    }

    /** Those that were set before the element was defined hide what they should call. */
    #upgrade(name: (typeof OWN_PROPERTIES)[number]): void {
      if (!Object.hasOwn(this, name)) return;
      const value = this[name];
      delete (this as Partial<InspectorElement>)[name];
      Object.assign(this, { [name]: value });
    }

    #makeAnew(): void {
      this.#inspector?.stop();
      this.#inspector = undefined;
      this.#shadow.replaceChildren();
      if (this.isConnected) this.#begin();
    }

    #begin(): void {
      if (this.#ledger === undefined) return;
      if (this.#inspector === undefined) {
        this.#inspector = new Inspector(this, this.#ledger, this.readonly);
        this.#shadow.replaceChildren(this.#inspector.element);
      }
      this.#inspector.start(this.#room);
    }
  };
}
