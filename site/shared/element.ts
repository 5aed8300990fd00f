/**
 * The element of the page with this id.
 * @throws Error when there is none of this kind: the page and its program do not fit
 */
export function element<T extends Element = HTMLElement>(
  id: string,
  kind: abstract new () => T = HTMLElement as unknown as abstract new () => T,
): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/** A copy of the content of a template, which is one element. */
export function copyOf(templateId: string): HTMLElement {
  const { content } = element(templateId, HTMLTemplateElement);
  return content.firstElementChild!.cloneNode(true) as HTMLElement;
}

/**
 * The part of an element that has this class.
 * @throws Error when there is none of this kind
 */
export function part<T extends Element = HTMLElement>(
  whole: Element,
  className: string,
  kind: abstract new () => T = HTMLElement as unknown as abstract new () => T,
): T {
  const found = whole.querySelector(`.${className}`);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} .${className}`);
}

/**
 * Takes the focus to what has come up in a part of the page, for those who go by keyboard or by ear.
 * Whoever is busy in another part stays there.
 */
export function leadFocus(to: HTMLElement, around: Element): void {
  const { activeElement } = document;
  const isFree = activeElement === null || activeElement === document.body;
  if (isFree || around.contains(activeElement)) to.focus();
}
