import type { Page, SerializedAXNode } from 'puppeteer-core';

const CONTROLS = [
  'button',
  'checkbox',
  'combobox',
  'link',
  'radio',
  'searchbox',
  'slider',
  'textbox',
  'DisclosureTriangle',
];

/** The controls of a page, as those see them who do not see it. */
export async function controlsOf(page: Page): Promise<SerializedAXNode[]> {
  const tree = await page.accessibility.snapshot();
  return flat(tree!).filter(({ role }) => CONTROLS.includes(role));
}

function flat(node: SerializedAXNode): SerializedAXNode[] {
  return [node, ...(node.children ?? []).flatMap(flat)];
}
