/** Whether this is Node, or something that passes for it. */
export function isNode(): boolean {
  return typeof globalThis.process?.versions?.node === 'string';
}
