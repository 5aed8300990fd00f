/** Runs in the page: what its visible texts are painted with, against what is behind them. */
export function faintTexts(least: number, root: ParentNode = document.body): string[] {
  type Colour = readonly [number, number, number, number];
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
  const parse = (text: string): Colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r = 0, g = 0, b = 0, a = 0] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a];
  };
  const luminance = ([r, g, b]: Colour): number => {
    const [red, green, blue] = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const parentOf = (element: Element): Element | null => {
    const above = element.getRootNode();
    return element.parentElement ?? (above instanceof ShadowRoot ? above.host : null);
  };
  const behind = (element: Element | null): Colour => {
    for (let each = element; each !== null; each = parentOf(each)) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint: string[] = [];
  const check = (element: Element, text: string, pseudo?: string): void => {
    const a = luminance(parse(getComputedStyle(element, pseudo).color));
    const b = luminance(behind(element));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) faint.push(`${contrast.toFixed(2)}: ${text}`);
  };
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode() !== null) {
    const { parentElement, textContent } = texts.currentNode;
    const text = textContent?.trim() ?? '';
    if (text !== '' && parentElement!.checkVisibility()) check(parentElement!, text);
  }
  for (const input of root.querySelectorAll('input, textarea')) {
    if (!input.checkVisibility()) continue;
    check(input, `in ${input.id}`);
    check(input, `placeholder of ${input.id}`, '::placeholder');
  }
  return faint;
}
