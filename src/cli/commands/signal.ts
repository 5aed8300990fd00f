import { once } from 'node:events';
import type { Command } from 'commander';
import {
  defaultOf,
  flagOf,
  readSettings,
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  variableOf,
} from '../../../signaling/settings.ts';
import { interruptible } from '../interrupt.ts';
import type { Output } from '../output.ts';

/** signal: the server by which members of rooms find each other. Its log is on stdout. */
export function addSignalCommand(program: Command, output: Output): void {
  const command = program
    .command('signal')
    .description('run a signaling server, until Ctrl-C or SIGTERM');
  for (const name of SETTING_NAMES) {
    command.option(`${flagOf(name)} ${SETTINGS[name].placeholder}`, aboutSetting(name));
  }
  command.action((flags: Partial<Record<SettingName, string>>) =>
    interruptible(async (signal) => {
      const settings = readSettings(flags, process.env);
      // Other commands start faster without it.
      const { createSignalingServer } = await import('../../server.ts');
      const server = createSignalingServer(settings);
      const { url } = await server.listen();
      output.note(`signaling at ${url}; Ctrl-C stops it`);
      if (!signal.aborted) await once(signal, 'abort');
      output.note('stopping; Ctrl-C again does so at once');
      await server.close();
    }),
  );
}

function aboutSetting(name: SettingName): string {
  const standard = defaultOf(name);
  const before = standard === '' ? '' : `default: ${standard}, `;
  return `${SETTINGS[name].about} (${before}env: ${variableOf(name)})`;
}
