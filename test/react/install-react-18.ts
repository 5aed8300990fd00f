import { fileURLToPath } from 'node:url';
import { installLocked } from '../browser/support/install-locked.ts';

/** Where it is installed, and kept from run to run. */
export const REACT_18: string = fileURLToPath(new URL('../.built/react-18', import.meta.url));

/** Before a test run. */
export function setup(): void {
  installLocked(fileURLToPath(new URL('./react-18', import.meta.url)), REACT_18);
}
