import { showConfiguration } from '../../../internal/admin/operations/configuration.ts';
import type { Setting } from '../../../internal/admin/setting.ts';
import { brokerProgram } from '../../broker/flags.ts';
import { parseProgram } from '../../cli/options/parse-program.ts';
import { UsageError } from '../../cli/options/program.ts';
import { settingsOf } from '../../cli/options/settings.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { note } from '../report.ts';
import { configShowProgram } from './flags.ts';

const PLACES = ['data-dir', 'kafka-log-dir', 'context', 'url'];

export const show = command(configShowProgram, async (invocation) => {
  const { values, operands, given, version } = invocation;
  const [file] = operands;
  const place = PLACES.find((name) => given.has(name));
  if (file !== undefined && place !== undefined)
    throw new UsageError(`-${place} names a broker that runs, and ${file} is a file: one of them is shown`);
  const all =
    file === undefined
      ? (await withBroker(invocation, (broker) => broker.call(showConfiguration, {}))).settings
      : await settingsOfFile(file, version);
  const settings = values['only-given'] ? all.filter(({ from }) => from !== 'default') : all;
  if (values.json) print({ settings });
  else if (all.length === 0) note('This broker runs in an app, which did not say what it was told.');
  else printTable(['SETTING', 'VALUE', 'FROM'], settings.map(rowOf));
});

async function settingsOfFile(file: string, version: string): Promise<readonly Setting[]> {
  return settingsOf(
    brokerProgram,
    await parseProgram(brokerProgram, ['-config', file], process.env, version),
  );
}

function rowOf({ name, value, from, at }: Setting): string[] {
  const shown = typeof value === 'string' ? value : (value?.join(', ') ?? '');
  return [name, shown === '' ? '-' : shown, at === '' ? from : at];
}
