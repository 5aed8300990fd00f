import type { Ledger, Room } from '../index.ts';
import { defineInspector, INSPECTOR_TAG, type InspectorElement } from './inspector-element.ts';

export interface InspectorOptions {
  readonly ledger: Ledger;
  readonly room?: Room | undefined;
  /** Without buttons that write into the ledger. */
  readonly readonly?: boolean;
}

/**
 * Puts an inspector into a page, as the last child of `parent`.
 * @returns the element: set its `room` when that changes, and `remove()` it to end all that it does
 */
export function mountInspector(parent: Element, options: InspectorOptions): InspectorElement {
  defineInspector();
  const inspector = document.createElement(INSPECTOR_TAG);
  Object.assign(inspector, options);
  parent.append(inspector);
  return inspector;
}
