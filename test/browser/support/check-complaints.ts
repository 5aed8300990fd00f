import { afterEach } from 'vitest';
import { commands } from 'vitest/browser';

// Its own types come with the providers that vitest knows.
declare module 'vitest/browser' {
  export const commands: { checkComplaints(): Promise<void> };
}

afterEach(() => commands.checkComplaints());
