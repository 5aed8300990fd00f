type Properties<E extends Element> = Partial<
  Omit<E, 'attributes' | 'style' | 'children' | 'classList' | 'className' | 'textContent'>
> & {
  readonly class?: string;
  readonly text?: string;
  /** Attributes that are no properties everywhere, such as those of ARIA. */
  readonly attributes?: Readonly<Record<string, string>>;
};

/** An element with these properties and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const { class: className, text, attributes, ...others } = properties;
  const element = document.createElement(tag);
  Object.assign(element, others);
  if (className !== undefined) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function makeSvg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, `${value}`);
  element.append(...children);
  return element;
}

/** Changes what an element says, if it says something else: what stays the same is not laid out anew. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The rows of a list by key: those that stay are the same elements, so that focus and choices in them
 * outlive an update.
 */
export class KeyedRows<Row extends { readonly element: Element }> {
  readonly #parent: Element;
  readonly #rows = new Map<string, Row>();

  constructor(parent: Element) {
    this.#parent = parent;
  }

  /** Shows these in this order, and no others. */
  show<T>(items: Iterable<T>, keyOf: (item: T) => string, makeRow: (item: T) => Row): Row[] {
    const wanted = Array.from(items, (item) => ({ item, key: keyOf(item) }));
    const keys = new Set(wanted.map(({ key }) => key));
    // First those that go: the others then need not be moved, which would take the focus off them.
    for (const [key, { element }] of this.#rows) {
      if (keys.has(key)) continue;
      element.remove();
      this.#rows.delete(key);
    }
    const shown: Row[] = [];
    let next = this.#parent.firstElementChild;
    for (const { item, key } of wanted) {
      const row = this.#rows.get(key) ?? makeRow(item);
      this.#rows.set(key, row);
      shown.push(row);
      if (row.element === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(row.element, next);
    }
    return shown;
  }
}
