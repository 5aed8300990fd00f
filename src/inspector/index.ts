/** `emberlink/inspector`: shows in a page what happens in a ledger and a room. */
export { defineInspector, type InspectorElement } from './inspector-element.ts';
export { type InspectorOptions, mountInspector } from './mount-inspector.ts';
