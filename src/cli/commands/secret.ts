import type { Command } from 'commander';
import { createRoomSecret } from '../../index.ts';
import type { Output } from '../output.ts';

/** secret: a new one for a room. */
export function addSecretCommand(program: Command, output: Output): void {
  program
    .command('secret')
    .description('make a secret for a room: whoever has it is a member')
    .action(async () => {
      const secret = createRoomSecret();
      if (output.json) await output.value({ secret });
      else await output.line(secret);
    });
}
