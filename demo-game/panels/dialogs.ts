import { element } from '../../site/shared/element.ts';

/** A dialog of the page that its cross, Escape and a click beside it close. */
export function dialog(id: string): HTMLDialogElement {
  const found = element(id, HTMLDialogElement);
  found.querySelector('.close')?.addEventListener('click', () => found.close());
  found.addEventListener('click', ({ target, clientX, clientY }) => {
    const { left, right, top, bottom } = found.getBoundingClientRect();
    const isBeside = clientX < left || clientX > right || clientY < top || clientY > bottom;
    if (target === found && isBeside) found.close();
  });
  return found;
}

/** Copies a field's text, or selects it where the browser lets no page copy; gives the words for what was done. */
export async function copyFrom(field: HTMLInputElement): Promise<string> {
  try {
    await navigator.clipboard.writeText(field.value);
    return 'Copied. Paste it where your friend finds it.';
  } catch {
    field.select();
    return 'The browser lets this page copy nothing. It is selected: copy it by hand.';
  }
}
