import { brokerProgram } from '../../broker/flags.ts';
import { schemaOf } from '../../cli/options/file/schema.ts';
import { command } from '../../cli/run-program.ts';
import { configSchemaProgram } from './flags.ts';

export const schema = command(configSchemaProgram, async () => {
  process.stdout.write(schemaText());
});

/** The schema of the broker's file, as it is written. */
export function schemaText(): string {
  return `${JSON.stringify(schemaOf(brokerProgram), undefined, 2)}\n`;
}
